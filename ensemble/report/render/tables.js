// ---- tables: sorted by their heads; those that are wider than the screen can be scrolled by keys ----
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sortBy(table, head, column));
  });
}

function sortBy(table, head, column) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [row.cells[column].dataset.sort, row]);
  const numbers = rows.every(([value]) => !Number.isNaN(Number(value)));
  const first = numbers ? "descending" : "ascending";  // the largest number, the first name
  const second = numbers ? "ascending" : "descending";
  const direction = head.getAttribute("aria-sort") === first ? second : first;
  for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction);
  rows.sort(([one], [other]) => {
    if (one === "" || other === "") return (one === "") - (other === "");  // what is missing comes last
    const order = numbers ? Number(one) - Number(other) : one.localeCompare(other, "en", { numeric: true });
    return direction === "descending" ? -order : order;
  });
  body.append(...rows.map(([, row]) => row));
}

function isWide(region) {
  return region.scrollWidth > region.clientWidth + 1;
}

function showWhatIsLeft(region) {
  region.classList.toggle("more", isWide(region) && region.scrollLeft + region.clientWidth < region.scrollWidth - 8);
}

// Without scripts all of them take the focus; here only those that need it.
const regions = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (isWide(target)) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
    showWhatIsLeft(target);
  }
});
for (const region of document.querySelectorAll(".table")) {
  regions.observe(region);
  region.addEventListener("scroll", () => showWhatIsLeft(region), { passive: true });
}
