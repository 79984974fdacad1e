// The page for checking photographs: takes files, sends them, and shows what is answered.
import { answerOf } from "./answer.js";
import { element, row } from "./dom.js";
import { percent } from "./numbers.js";
import { NeedsKey, Refused, fetched, packed, send, setKey } from "./send.js";

const byId = (id) => document.getElementById(id);
const status = byId("status"), error = byId("error"), results = byId("results"), drop = byId("drop");
let known = null, waiting = Promise.resolve(), asking = 0, unanswered = [], refusals = new Set();

/** What is to be known of the ensemble; asked for again where that failed. */
function theFacts() {
  known ??= start().catch((reason) => {
    known = null;
    throw reason;
  });
  return known;
}

async function start() {
  const facts = await fetched("/v1/ensemble");
  byId("synthetic").hidden = !facts.ensemble.synthetic;
  byId("to-game").hidden = !facts.has_game;
  byId("limits").textContent = `Up to ${facts.photographs} are asked about at a time.`;
  showTested(facts);
  return facts;
}

function showTested({ finds_faces, prior, scores, size, verdicts }) {
  const faces = finds_faces ? "In photographs of other sizes the face is found and brought to this size." : "Of photographs of other sizes nothing is said.";
  byId("trained").textContent =
    `Trained on photographs of ${size[1]} × ${size[0]} px. ${faces} If it had to choose between two, it would be right about ` +
    `${percent(scores.accuracy, 1)} of ${scores.n.toLocaleString("en")} photographs that it had not seen, ${percent(prior)} of them ` +
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
  byId("tested").replaceChildren(head, body);
}

/** Answer about files after those that were given before. */
function give(files) {
  const photographs = [...files].filter((file) => file instanceof File);
  if (!photographs.length) return;
  if (!asking) sayRefusals(new Set());
  asking += 1;
  waiting = waiting.then(() => ask(photographs)).catch((reason) => sayRefused(reason, photographs)).finally(() => { asking -= 1; });
}

/** Ask again about those that had no answer. */
function giveAgain() {
  give(unanswered.splice(0));
  byId("again-row").hidden = true;
}

async function ask(given) {
  const facts = await theFacts(), answered = [], photographs = [];
  for (const file of given) {
    if (await canBeRead(file)) photographs.push(file);
    else sayRefused(new Refused("It cannot be read: a folder, or a file that has gone."), [file]);
  }
  if (!photographs.length) return;
  const many = photographs.length === 1 ? photographs[0].name : `${photographs.length} photographs`;
  status.textContent = `Asking about ${many} …`;
  drop.setAttribute("aria-busy", "true");
  for (const part of packed(photographs, facts)) {
    try {
      answered.push(...show(part, await send("/v1/check?details=true", part, sayWait), facts, answered.at(-1)?.article));
    } catch (reason) {
      sayRefused(reason, part);
    }
    if (answered.length) status.textContent = `${answered.length} of ${photographs.length} are answered …`;
  }
  status.textContent = answered.length ? `Answered: ${summary(answered, many)}.` : "";
  drop.removeAttribute("aria-busy");
}

const sayWait = (seconds) => { status.textContent = `The server has much to do: asking again in ${seconds} s …`; };

const canBeRead = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

function sayRefusals(them) {
  refusals = them;
  error.textContent = [...refusals].join(" ");
}

/** Say why photographs have no answer, and offer to ask again where that can help. */
function sayRefused(reason, part) {
  const name = part.length === 1 && !reason.message.startsWith(part[0].name) ? `${part[0].name}: ` : "";
  sayRefusals(refusals.add(`${name}${reason.message}`));
  if (reason instanceof Refused) return;
  unanswered.push(...part);
  byId("again-row").hidden = false;
  byId("again").textContent = `Ask again about ${unanswered.length === 1 ? unanswered[0].name : `${unanswered.length} photographs`}`;
  if (reason instanceof NeedsKey) {
    byId("key-row").hidden = false;
    byId("key").focus();
  }
}

/** Show answers after the last one of those that were given together, or before all others. */
function show(photographs, found, facts, last) {
  const made = found.results.map((result, i) => ({ result, article: answerOf(photographs[i], result, facts, found.ensemble, found.caution) }));
  const articles = made.map(({ article }) => article);
  results.hidden = false;
  if (last) {
    last.after(...articles);
  } else {
    results.prepend(...articles);
    articles[0].focus({ preventScroll: true });
    articles[0].scrollIntoView({ block: "nearest" });
  }
  return made;
}

function summary(answered, many) {
  if (answered.length === 1) return many;
  const counts = new Map();
  for (const { result } of answered) counts.set(result.verdict, (counts.get(result.verdict) || 0) + 1);
  return `${many}; ${[...counts].map(([verdict, number]) => `${number} “${verdict}”`).join(", ")}`;
}

byId("files").addEventListener("change", (event) => {
  give(event.target.files);
  event.target.value = ""; // or the same file could not be given again
});
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  giveAgain();
});
byId("key").addEventListener("input", (event) => setKey(event.target.value));
addEventListener("paste", (event) => give(event.clipboardData?.files ?? []));
for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") give(event.dataTransfer.files);
  });
}
theFacts().catch((reason) => { error.textContent = reason.message; });
