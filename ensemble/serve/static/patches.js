// The map of which parts an answer depends on: computed on request only.
import { send } from "./send.js";
import { element } from "./dom.js";

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
  if (whole) box.append(element("img", "", { src: URL.createObjectURL(file), alt: "" }));
  const canvas = element("canvas", "", { width: changes[0].length, height: changes.length });
  canvas.setAttribute("role", "img");
  const most = Math.max(...changes.flat().map(Math.abs), 0.1);
  canvas.setAttribute("aria-label", `Change of the logit when a part is hidden: up to ${most.toFixed(1)}.`);
  const context = canvas.getContext("2d");
  changes.forEach((line, y) => line.forEach((value, x) => {
    context.fillStyle = value > 0 ? `rgb(230 100 20 / ${value / most})` : `rgb(20 110 200 / ${-value / most})`;
    context.fillRect(x, y, 1, 1);
  }));
  box.append(canvas);
  if (!whole) canvas.style.position = "static";
  return box;
}
