// ---- photographs: a click shows one large, with its spectrum and every member's prediction ----
const exhibits = JSON.parse(document.getElementById("exhibits").textContent);
const dialog = document.getElementById("dialog");
const THRESHOLD = 0.5;

for (const image of document.querySelectorAll(".exhibit img[data-same]")) image.src = pictureOf(image.dataset.same);

// The page holds a picture once, even if several galleries show it.
function pictureOf(key) {
  return document.querySelector(`.exhibit[data-photograph="${CSS.escape(key)}"] img[src]`)?.getAttribute("src") ?? "";
}

function element(tag, text, attributes) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes ?? {})) made.setAttribute(name, value);
  return made;
}

function formatDecision(probability) {
  const short = probability.toFixed(2);
  const text = ["0.00", "0.50", "1.00"].includes(short) ? probability.toFixed(4) : short;
  return `${probability >= THRESHOLD ? "fake" : "real"} (${text})`;
}

// ---- the dialog's parts ----
function votesTable({ votes, truth }) {
  const table = element("table", undefined, { class: "votes" });
  table.append(element("caption", "Probability of fake, out of 1; from 0.5 on it is predicted fake"));
  const body = table.createTBody();
  votes.forEach(([who, probability], place) => {
    const row = body.insertRow();
    const word = probability >= THRESHOLD ? "fake" : "real";
    if (place === 0) row.className = "strong";
    row.append(element("th", who.replaceAll("_", "_\u200b"), { scope: "row" }));  // long names break at a good place
    const cell = row.insertCell();
    const bar = element("span", undefined, { class: `bar ${word}`, "aria-hidden": "true" });
    bar.style.setProperty("--share", `${100 * probability}%`);
    cell.append(bar);
    row.append(element("td", probability.toFixed(4)));
    const known = truth === "real" || truth === "fake";
    row.append(element("td", known ? `${word}, ${word === truth ? "right" : "wrong"}` : word, { class: "text" }));
  });
  return table;
}

function views(key, { name, spectrum }) {
  const found = element("div", undefined, { class: "views" });
  const small = document.querySelector(`.exhibit[data-photograph="${CSS.escape(key)}"] img`);
  if (small) {
    const size = `${small.getAttribute("width")} × ${small.getAttribute("height")} pixels`;
    found.append(view(pictureOf(key), `the photograph ${name}`, `The photograph, ${size}`));
  }
  if (spectrum) found.append(view(spectrum, `the power spectrum of ${name}`, "Its spectrum: finest structure outside"));
  if (!found.children.length) found.append(element("p", "The photograph is not in the store.", { class: "note" }));
  return found;
}

function view(src, alt, caption) {
  const figure = element("figure");
  figure.append(element("img", undefined, { src, alt }), element("figcaption", caption));
  return figure;
}

function curves({ name, curve }) {
  const part = element("div", undefined, { class: "curves" });
  const base = figures["exhibit-curves"];
  if (!base || !curve.length) return part;
  const x = base.frequencies;
  const y = curve.map((value, place) => value - base.reference[place]);
  const own = { type: "scatter", mode: "lines", name: "this photograph", x, y, line: { color: "$ink", width: 2 } };
  figures["exhibit-shown"] = { traces: [...base.traces, own], layout: base.layout };
  const description = describe(name, x, curve, base.means);
  const plot = element("div", undefined, { class: "plot", role: "img", "aria-label": description });
  plot.dataset.figure = "exhibit-shown";
  part.append(element("h3", `Its spectrum${Object.keys(base.means).length ? " beside the class means" : ""}`), plot, element("p", description, { class: "note" }));
  return part;
}

// The upper quarter of frequencies in words: there most generators differ from cameras.
function describe(name, x, curve, means) {
  const from = 0.75 * x.at(-1);
  const level = (values) => {
    const high = values.filter((_, place) => x[place] >= from);
    return (high.reduce((sum, value) => sum + value, 0) / high.length).toFixed(2).replace("-", "−");
  };
  const parts = Object.entries(means).map(([word, mean]) => `the mean ${word} ${level(mean)}`);
  const own = `In the finest structure, from ${from.toFixed(2)} cycles a pixel on, ${name} has ${level(curve)}`;
  const bands = parts.length ? " Bands hold the middle 90% of the training photographs of a class." : "";
  return `${[own, ...parts].join("; ")} (powers of ten).${bands}`;
}

// ---- opening, going on, closing ----
let shown = null;

function show(button) {
  shown = button;
  const exhibit = exhibits[button.dataset.photograph];
  const [who, probability] = exhibit.votes[0];
  const truth = exhibit.truth === "not known" ? "truth not known" : exhibit.truth;
  const title = `${exhibit.name}: ${truth}; ${who.split(" (")[0]} predicts ${formatDecision(probability)}`;
  const siblings = neighbours();
  dialog.querySelector("h2").textContent = title;
  dialog.querySelector(".place").textContent = `${siblings.indexOf(button) + 1} of ${siblings.length}`;
  const body = dialog.querySelector(".shown");
  body.replaceChildren(
    element("p", button.querySelector(".why").textContent, { class: "why" }),
    views(button.dataset.photograph, exhibit), votesTable(exhibit), curves(exhibit),
  );
  if (!dialog.open) dialog.showModal();
  if (!dialog.contains(document.activeElement)) dialog.querySelector(".close").focus();  // after a link within the page
  dialog.scrollTop = 0;
  body.querySelectorAll(".plot").forEach(draw);
  history.replaceState(null, "", `#photograph-${encodeURIComponent(button.dataset.photograph)}`);
}

function neighbours() {
  return [...shown.closest(".gallery").querySelectorAll(".exhibit")];
}

function go(step) {
  const siblings = neighbours();
  show(siblings[(siblings.indexOf(shown) + step + siblings.length) % siblings.length]);
}

function furnish() {
  const head = element("div", undefined, { class: "head" });
  const close = element("button", "Close", { type: "button", class: "close" });
  head.append(element("h2", "", { id: "dialog-title", "aria-live": "polite" }), close);
  const steps = element("div", undefined, { class: "steps" });
  const previous = element("button", "← Previous", { type: "button" });
  const next = element("button", "Next →", { type: "button" });
  steps.append(previous, element("span", "", { class: "place" }), next);
  dialog.append(head, element("div", undefined, { class: "shown" }), steps);
  previous.addEventListener("click", () => go(-1));
  next.addEventListener("click", () => go(1));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(step);
  });
  dialog.addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    shown.focus();  // of the one that was looked at last
  });
}

function openLinked() {
  const key = location.hash.startsWith("#photograph-") && decodeURIComponent(location.hash.slice(12));
  const button = key && document.querySelector(`.exhibit[data-photograph="${CSS.escape(key)}"]`);
  if (button) show(button);
}

furnish();
for (const button of document.querySelectorAll(".exhibit")) button.addEventListener("click", () => show(button));
system.addEventListener("change", () => { dialog.querySelectorAll(".plot").forEach(draw); });
addEventListener("hashchange", openLinked);
openLinked();
