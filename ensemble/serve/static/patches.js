// The map of which parts an answer depends on: computed on request only.
import { send } from "./send.js";
import { element, show } from "./dom.js";

export function offerPatches(details, file, result, facts) {
  const button = details.querySelector("button"), wait = details.querySelector(".wait");
  button.addEventListener("click", async () => {
    button.disabled = true;
    wait.textContent = "Computing …";
    try {
      const found = await send("/v1/patches", file);
      wait.textContent = "Orange parts count toward generated, blue parts against it.";
      const map = mapOf(file, result, facts, found.changes);
      button.replaceWith(map);
      map.focus();
    } catch (error) {
      wait.textContent = error.message;
      button.disabled = false;
    }
  });
}

function mapOf(file, result, facts, changes) {
  // Of other sizes the models saw a part of the picture, which would not lie below the cells.
  const whole = result.height === facts.size[0] && result.width === facts.size[1];
  const box = element("div", "", { className: "map", tabIndex: -1 });
  if (whole) show(box.appendChild(element("img", "", { alt: "" })), file);
  const canvas = element("canvas", "", { width: changes[0].length, height: changes.length });
  canvas.setAttribute("role", "img");
  const most = Math.max(...changes.flat().map(Math.abs), 0.1);
  canvas.setAttribute("aria-label", summary(changes));
  const context = canvas.getContext("2d");
  changes.forEach((line, y) => line.forEach((value, x) => {
    context.fillStyle = value > 0 ? `rgb(230 100 20 / ${value / most})` : `rgb(20 110 200 / ${-value / most})`;
    context.fillRect(x, y, 1, 1);
  }));
  box.append(canvas);
  if (!whole) canvas.style.position = "static";
  return box;
}

/** What the map shows, in a sentence for those who do not see it. */
function summary(changes) {
  const cells = changes.flatMap((line, y) => line.map((value, x) => ({ value, at: `row ${y + 1}, column ${x + 1}` })));
  cells.sort((a, b) => b.value - a.value);
  const list = (some) => some.map(({ value, at }) => `${at} (${value.toFixed(1)})`).join("; ") || "nowhere";
  return `By how much the logit falls when a part is hidden, of ${changes.length} rows of ${changes[0].length}. ` +
    `Most toward generated: ${list(cells.slice(0, 3).filter(({ value }) => value > 0))}. ` +
    `Most against it: ${list(cells.slice(-3).reverse().filter(({ value }) => value < 0))}.`;
}
