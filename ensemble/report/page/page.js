"use strict";
// Sorting, themes, figures. The page says everything without it, in its tables.

const root = document.documentElement;
const figures = JSON.parse(document.getElementById("figures").textContent);

// ---- tables ----
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sortBy(table, head, column));
  });
}

function sortBy(table, head, column) {
  const descending = head.getAttribute("aria-sort") !== "descending";  // the best first
  for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [row.cells[column].dataset.sort, row]);
  const numbers = rows.every(([value]) => value === "" || !Number.isNaN(Number(value)));
  rows.sort(([one], [other]) => {
    if (one === "" || other === "") return (one === "") - (other === "");  // what is missing comes last
    const order = numbers ? Number(one) - Number(other) : one.localeCompare(other);
    return descending ? -order : order;
  });
  body.append(...rows.map(([, row]) => row));
}

// ---- themes ----
const themeButton = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}

function themeChanged() {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
  for (const plot of document.querySelectorAll(".plot.drawn")) draw(plot);
}

themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  themeChanged();
});
system.addEventListener("change", themeChanged);

// ---- figures ----
function colour(name) {
  const variable = /^\$[1-8]$/.test(name) ? `--c${name.slice(1)}` : `--${name.slice(1)}`;
  return getComputedStyle(root).getPropertyValue(variable).trim();
}

// A specification with the names of colours replaced by those of the theme.
function themed(value) {
  if (typeof value === "string") return value.startsWith("$") ? colour(value) : value;
  if (Array.isArray(value)) return value.map(themed);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, themed(inner)]));
  }
  return value;
}

function axis(given) {
  return {
    gridcolor: colour("$line"), linecolor: colour("$line"), zerolinecolor: colour("$line"), automargin: true,
    fixedrange: true, ...themed(given || {}),
  };
}

function laidOut(layout) {
  const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
  const complete = {
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("$ink") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 48, r: 12, t: 12, b: 44 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    hoverlabel: { bgcolor: colour("$raised"), font: { color: colour("$ink") } },
    dragmode: false,
    ...themed(layout),
  };
  for (const key of new Set(["xaxis", "yaxis", ...axes])) complete[key] = axis(layout[key]);
  return complete;
}

function draw(plot) {
  const { traces, layout } = figures[plot.dataset.figure];
  plot.classList.add("drawn");
  Plotly.react(plot, themed(traces), laidOut(layout), { displayModeBar: false, responsive: true });
}

const plots = [...document.querySelectorAll(".plot")];
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    near.unobserve(entry.target);
    draw(entry.target);
  }
}, { rootMargin: "600px" });
plots.forEach((plot) => near.observe(plot));
addEventListener("beforeprint", () => plots.filter((plot) => !plot.classList.contains("drawn")).forEach(draw));

// ---- contents ----
const menu = document.querySelector(".menu");
menu.addEventListener("click", (event) => { if (event.target.closest("a")) menu.open = false; });
document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") menu.open = false; });

// A link to something inside closed parts opens them.
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();
themeChanged();
