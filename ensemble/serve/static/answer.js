// One answer on the page, from the template.
import { bar, element, row, show } from "./dom.js";
import { count, percent, priorOf, sliderOf, underPrior } from "./numbers.js";
import { offerPatches } from "./patches.js";
import { provenanceOf } from "./provenance.js";
import { saveJson, savePage } from "./save.js";
import { spectrumOf } from "./spectrum.js";

const CLASSES = { strong: "strong", some: "some", none: "none", unknown: "cannot" };
const START = 0.01; // of pictures that people ask about: nobody knows it, and the page says so

export function answerOf(file, result, facts, ensemble, caution) {
  const article = document.getElementById("answer").content.cloneNode(true).firstElementChild;
  const part = (selector) => article.querySelector(selector);
  article.classList.add(CLASSES[result.evidence]);
  showPhotograph(part, file, result);
  part(".verdict").textContent = result.verdict;
  part(".synthetic").hidden = !ensemble.synthetic;
  part(".reason").textContent = result.reason && `${result.reason[0].toUpperCase()}${result.reason.slice(1)}.`;
  part(".meaning").textContent = result.meaning;
  article.setAttribute("aria-label", `${result.name}: ${result.verdict}`);
  for (const each of article.querySelectorAll(".of")) each.append(element("span", ` (${result.name})`, { className: "hear" }));
  if (result.evidence === "unknown" || result.probability === null) {
    for (const selector of [".prior", ".probability", ".members", ".patches"]) part(selector).remove();
  } else {
    offerPrior(part, result);
    showMembers(part(".members"), result);
    offerPatches(part(".patches"), file, result, facts);
  }
  showSpectrum(part(".spectrum"), result, facts);
  provenanceOf(part(".provenance"), result);
  part(".html").addEventListener("click", () => savePage(article, file, result, ensemble, caution));
  part(".json").addEventListener("click", () => saveJson(result, ensemble, caution));
  part(".hash").textContent = `SHA-256 of the file ${result.sha256}; ensemble ${ensemble.name}, ${ensemble.sha256.slice(0, 12)}`;
  return article;
}

function showPhotograph(part, file, result) {
  const image = part("img");
  show(image, file);
  image.addEventListener("error", () => image.remove());
  image.alt = `The photograph ${result.name}`;
  const size = result.width ? `${result.width} × ${result.height} px, ${result.format}` : "cannot be read";
  part("figcaption").textContent = `${result.name} (${size})`;
}

function offerPrior(part, result) {
  const slider = part(".prior input"), share = part(".prior .share");
  const weigh = () => {
    const prior = priorOf(slider.value);
    share.textContent = `${count(1000 * prior)} in a thousand`;
    slider.setAttribute("aria-valuetext", share.textContent);
    part(".odds").textContent = odds(result, prior);
    part(".probability").textContent =
      `By the models alone, the probability that it is generated is ${percent(underPrior(result.probability, result.prior, prior))} ` +
      `there; among the training photographs, of which ${percent(result.prior)} were, it is ${percent(result.probability)}.`;
  };
  slider.value = sliderOf(START);
  slider.addEventListener("input", weigh);
  weigh();
}

/** Natural frequencies: what such an answer means where a share of all pictures is generated. */
export function odds({ evidence, weight }, prior) {
  const fakes = 1000 * prior, reals = 1000 - fakes;
  const start = `Of a thousand photographs about which something can be said, ${count(fakes)} are generated.`;
  if (!weight) return start;
  if (evidence === "none") {
    return `${start} At least ${count(fakes * weight.fakes)} of these show no evidence either, more of generators unlike those of training.`;
  }
  const hits = fakes * weight.fakes, alarms = reals * weight.reals;
  return `${start} If their generators are like those of training, ${count(hits)} of them or more get this answer, and up to ` +
    `${count(alarms)} of the real ones. Then of the photographs with this answer at least ${percent(hits / (hits + alarms))} are generated: by the bounds of 95 % intervals.`;
}

function showMembers(table, result) {
  const body = document.createElement("tbody");
  for (const [name, value] of Object.entries(result.members)) {
    const cell = document.createElement("td");
    cell.append(bar(value));
    body.append(row(element("th", name, { scope: "row" }), cell, element("td", percent(value))));
  }
  table.append(body);
  table.hidden = !body.children.length;
}

function showSpectrum(details, result, facts) {
  if (result.spectrum && facts.spectra) details.append(...spectrumOf(result.spectrum, facts.spectra));
  else details.remove();
}
