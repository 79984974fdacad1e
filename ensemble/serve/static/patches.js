// The map of which parts an answer depends on: computed on request only.
import { send } from "./send.js";
import { element } from "./dom.js";

export function offerPatches(details, file, result) {
  if (result.probability === null) {
    details.remove();
    return;
  }
  const button = details.querySelector("button"), wait = details.querySelector(".wait");
  button.addEventListener("click", async () => {
    button.disabled = true;
    wait.textContent = "Computing …";
    try {
      const found = await send("/v1/patches", file);
      wait.textContent = "Orange parts count toward generated, blue parts against it.";
      button.replaceWith(mapOf(file, result, found.changes));
    } catch (error) {
      wait.textContent = error.message;
      button.disabled = false;
    }
  });
}

function mapOf(file, result, changes) {
  const square = result.width === result.height;
  const box = element("div", "", { className: "map" });
  if (square) box.append(element("img", "", { src: URL.createObjectURL(file), alt: "" }));
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
  if (!square) canvas.style.position = "static"; // the face was cut out: the picture would not lie below it
  return box;
}
