// The page for checking photographs: takes files, sends them, and shows what is answered.
import { answerOf } from "./answer.js";
import { element, row } from "./dom.js";
import { percent } from "./numbers.js";
import { NeedsKey, send, setKey } from "./send.js";

const byId = (id) => document.getElementById(id);
const status = byId("status"), error = byId("error"), results = byId("results"), drop = byId("drop");
let facts = null, waiting = Promise.resolve();

async function start() {
  facts = await (await fetch("/v1/ensemble")).json();
  byId("synthetic").hidden = !facts.ensemble.synthetic;
  byId("to-game").hidden = !facts.has_game;
  byId("limits").textContent = `Up to ${facts.photographs} at a time, ${facts.megabytes} MiB together.`;
  showTested();
}

function showTested() {
  const { scores, size, verdicts } = facts;
  const faces = facts.finds_faces ? "In photographs of other sizes the face is found and brought to this size." : "Photographs of other sizes are refused.";
  byId("trained").textContent =
    `Trained on photographs of ${size[1]} × ${size[0]} px. ${faces} If it had to choose between two, it would be right about ` +
    `${percent(scores.accuracy, 1)} of ${scores.n.toLocaleString("en")} photographs that it had not seen, ${percent(facts.prior)} of them ` +
    "generated. The answers here accuse less readily. Of held-out photographs, all counted:";
  const head = document.createElement("thead"), body = document.createElement("tbody");
  head.append(row(...["Photographs", "Real, some or strong evidence", "Fakes, some or strong evidence", "Cannot say"].map((text) => element("th", text, { scope: "col" }))));
  for (const rate of verdicts.rates) {
    const of = (some, all) => `${some} of ${all}`;
    body.append(row(
      element("th", rate.title, { scope: "row" }), element("td", of(rate.some_false, rate.real)),
      element("td", of(rate.some_found, rate.fake)), element("td", of(rate.undecided_real + rate.undecided_fake, rate.real + rate.fake)),
    ));
  }
  byId("tested").append(head, body);
}

/** Answer about files after those that were given before. */
function give(files) {
  const photographs = [...files].filter((file) => file instanceof File);
  if (photographs.length) waiting = waiting.then(() => ask(photographs));
}

async function ask(photographs) {
  error.textContent = "";
  const many = photographs.length === 1 ? photographs[0].name : `${photographs.length} photographs`;
  status.textContent = `Asking about ${many} …`;
  drop.setAttribute("aria-busy", "true");
  try {
    const parts = [];
    for (let i = 0; i < photographs.length; i += facts.photographs) parts.push(photographs.slice(i, i + facts.photographs));
    let done = 0;
    for (const part of parts) {
      show(part, await send("/v1/check?details=true", part));
      done += part.length;
      status.textContent = done < photographs.length ? `${done} of ${photographs.length} are answered …` : `Answered: ${many}.`;
    }
  } catch (reason) {
    status.textContent = "";
    error.textContent = reason.message;
    if (reason instanceof NeedsKey) {
      byId("key-row").hidden = false;
      byId("key").focus();
    }
  } finally {
    drop.removeAttribute("aria-busy");
  }
}

function show(photographs, found) {
  const made = found.results.map((result, i) => answerOf(photographs[i], result, facts, found.ensemble, found.caution));
  results.prepend(...made);
  results.hidden = false;
  made[0].focus({ preventScroll: true });
  made[0].scrollIntoView({ block: "nearest" });
}

byId("files").addEventListener("change", (event) => {
  give(event.target.files);
  event.target.value = ""; // or the same file could not be given again
});
byId("form").addEventListener("submit", (event) => event.preventDefault());
byId("key").addEventListener("input", (event) => setKey(event.target.value));
addEventListener("paste", (event) => give(event.clipboardData?.files ?? []));
for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") give(event.dataTransfer.files);
  });
}
start().catch(() => { error.textContent = "The server cannot be reached. Is it still running?"; });
