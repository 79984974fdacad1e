// ---- contents: a menu that closes itself, or a rail that stays; the part that is read is marked ----
const menu = document.querySelector(".menu");
const rail = matchMedia("(min-width: 75rem)");
const links = new Map([...menu.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));

function closeMenu() {
  if (!rail.matches) menu.open = false;
}

rail.addEventListener("change", () => { menu.open = rail.matches; });
menu.addEventListener("click", (event) => { if (event.target.closest("a")) closeMenu(); });
document.addEventListener("click", (event) => { if (!menu.contains(event.target)) closeMenu(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || rail.matches || !menu.open) return;
  closeMenu();
  menu.querySelector("summary").focus();
});

function markCurrent() {
  const sections = [...document.querySelectorAll("main > section")];
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 4;
  const read = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
  const current = atEnd && scrollY > 0 ? sections.at(-1) : read.at(-1) ?? sections[0];
  for (const [id, link] of links) {
    if (id === current?.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; markCurrent(); });
}, { passive: true });
markCurrent();

// A link to something inside closed parts opens them.
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();
