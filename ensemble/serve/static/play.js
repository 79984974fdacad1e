// The game: one picture at a time. All is counted here, and nothing is kept.
import { element, bar, row } from "./dom.js";
import { percent } from "./numbers.js";
import { save } from "./save.js";
import { fetched } from "./send.js";
import { spectrumOf } from "./spectrum.js";

const byId = (id) => document.getElementById(id);
const SECTIONS = ["start", "round", "end"];
const WORDS = [[55, "guessing"], [70, "rather unsure"], [85, "fairly sure"], [95, "sure"], [101, "certain"]];
const AGAIN = 3000, TRIES = 5; // milliseconds, and how often a picture is asked for
let game = null, facts = null, rounds = [], begun = 0, asking = false;

/** Call something that may fail, and say so where it is heard. */
const guarded = (call) => async (event) => {
  event?.preventDefault();
  byId("error").textContent = "";
  try { await call(event); } catch (error) { byId("error").textContent = error.message; }
};

function show(name, focus) {
  for (const each of SECTIONS) byId(each).hidden = each !== name;
  byId(focus)?.focus();
}

async function start() {
  [game, facts] = await Promise.all([fetched("/v1/game"), fetched("/v1/ensemble")]);
  byId("synthetic").hidden = !game.synthetic;
  byId("source").textContent = game.source;
  for (const input of document.querySelectorAll("[name=number]")) {
    if (Number(input.value) > game.most) input.closest("label").remove();
  }
  if (!document.querySelector("[name=number]:checked")) {
    const first = document.querySelector("[name=number]");
    if (first) first.checked = true;
    else document.querySelector("#choose fieldset").hidden = true;
  }
}

async function begin() {
  const chosen = document.querySelector("[name=number]:checked");
  game = await fetched(`/v1/game?pictures=${chosen ? chosen.value : game.most}`);
  rounds = [];
  next();
}

function next() {
  if (rounds.length === game.pictures.length) return end();
  byId("count").textContent = `Picture ${rounds.length + 1} of ${game.pictures.length}`;
  byId("status").textContent = byId("count").textContent;
  byId("judge").reset();
  byId("judge").hidden = false;
  byId("truth").hidden = true;
  byId("lesson").open = false;
  howSure();
  show("round", "question");
  showPicture(`/v1/game/pictures/${game.pictures[rounds.length]}`);
}

/** Show a picture; there is no answer before it is there. */
function showPicture(address) {
  const image = byId("picture"), button = byId("judge").querySelector("button");
  button.disabled = true;
  image.removeAttribute("src"); // else the one before stays until this one has come
  image.onload = () => {
    byId("error").textContent = "";
    button.disabled = false;
    begun = performance.now();
  };
  let tries = 0;
  image.onerror = () => {
    tries += 1;
    byId("error").textContent = `The picture could not be loaded. ${tries < TRIES ? "It is asked for again …" : "Reload the page to begin again."}`;
    if (tries < TRIES) setTimeout(() => { if (button.disabled) image.src = `${address}?again=${tries}`; }, AGAIN);
  };
  image.src = address;
}

function howSure() {
  const value = Number(byId("sure").value);
  const words = WORDS.find(([below]) => value < below)[1];
  byId("how-sure").textContent = `${value} % (${words})`;
  byId("sure").setAttribute("aria-valuetext", byId("how-sure").textContent);
}

async function answer() {
  const picture = game.pictures[rounds.length], seconds = (performance.now() - begun) / 1000;
  const saidFake = document.querySelector("[name=kind]:checked").value === "fake";
  if (asking || byId("judge").querySelector("button").disabled) return;
  asking = true;
  const truth = await fetched(`/v1/game/pictures/${picture}/truth`).finally(() => { asking = false; });
  const right = saidFake === truth.fake;
  rounds.push({
    fake: truth.fake, said_fake: saidFake, sure: Number(byId("sure").value) / 100, probability: truth.probability, seconds,
  });
  byId("judge").hidden = true;
  byId("truth").className = right ? "right" : "wrong";
  byId("was").textContent = `${right ? "Right" : "Wrong"}: ${known(truth)}.`;
  byId("machine").textContent = truth.probability === null ? "" : opinion(truth);
  byId("next").textContent = rounds.length === game.pictures.length ? "To the result" : "Next picture";
  showLesson(picture, truth);
  byId("truth").hidden = false;
  byId("was").focus();
}

/** What is known of a picture, and by whom. */
function known({ fake }) {
  if (!game.unseen) return `by the list of this server it is ${fake ? "generated" : "real"}`;
  if (fake) return "a machine made it";
  return game.synthetic ? "it is of the “real” kind" : "a camera took it";
}

function opinion({ fake, probability }) {
  const right = (probability >= 0.5) === fake;
  return `The ensemble${game.unseen ? ", which had not seen it," : ""} gave ${percent(probability)} that it is generated, and was ${right ? "right" : "wrong"}.`;
}

function showLesson(picture, truth) {
  const lesson = byId("lesson");
  lesson.replaceChildren(lesson.querySelector("summary"));
  lesson.append(
    element("p", "The finest structure of its middle, amplified: cameras leave noise that follows the light, generators often a regular weave. Few eyes see either in the picture itself."),
    element("img", "", { src: `/v1/game/pictures/${picture}/residual`, alt: "Amplified fine structure of the picture", loading: "lazy" }),
  );
  if (truth.spectrum && facts.spectra) {
    lesson.append(element("p", "How its power falls with frequency, between the bands of most real photographs and most fakes:"), ...spectrumOf(truth.spectrum, facts.spectra));
  }
}

async function end() {
  const played = rounds.map(({ fake, said_fake, sure, probability }) => ({ fake, said_fake, sure, probability }));
  const score = await fetched("/v1/game/score", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ rounds: played }),
  });
  byId("result").textContent = `${score.correct} of ${score.pictures} right`;
  byId("summary").textContent = summary(score);
  const between = (estimate, write) => `${write(estimate.value)} (${write(estimate.low)} to ${write(estimate.high)})`;
  const share = (value) => percent(value), number = (value) => value.toFixed(1);
  const lines = [
    ["Accuracy", between(score.accuracy, share)],
    ["Generated ones that you called generated", `${score.hits} of ${score.fakes}`],
    ["Real ones that you called generated", `${score.false_alarms} of ${score.reals}`],
  ];
  if (score.sensitivity) lines.push(["Sensitivity d′ (0 is guessing)", between(score.sensitivity, number)], ["Criterion c (above 0: “real” too readily)", between(score.criterion, number)]);
  if (score.ensemble) lines.push(["Accuracy of the ensemble on the same pictures", between(score.ensemble, share)]);
  byId("numbers").tBodies[0].replaceChildren(...lines.map(([title, text]) => row(element("th", title, { scope: "row" }), element("td", text))));
  byId("confidence").textContent = confidence(score);
  byId("calibration").tBodies[0].replaceChildren(...score.calibration.map((bin) => {
    const cell = element("td");
    cell.append(bar(bin.correct / bin.pictures));
    return row(element("th", `${percent(bin.sure)} sure`, { scope: "row" }), element("td", `${bin.correct} of ${bin.pictures}`), cell);
  }));
  byId("seen").replaceChildren(...rounds.map(seen));
  const about = { source: game.source, synthetic: game.synthetic };
  byId("save").onclick = () => save("game.json", "application/json", JSON.stringify({ score, rounds, ...about }, null, 1));
  show("end", "result");
}

/** One picture of the game, and what was said of it. */
function seen({ fake, said_fake, sure }, at) {
  const word = (generated) => (generated ? "generated" : "real"), right = fake === said_fake;
  const item = element("li", "", { className: right ? "right" : "wrong" }), text = element("p", `You: ${word(said_fake)}, ${percent(sure)} sure`);
  text.prepend(element("strong", `${right ? "✓" : "✗"} ${word(fake)}`));
  item.append(element("img", "", { src: `/v1/game/pictures/${game.pictures[at]}`, alt: "", loading: "lazy" }), text);
  return item;
}

function summary(score) {
  const { low } = score.accuracy;
  const first = low > 0.5 ? "That is better than guessing." : "So few pictures do not show that you do better than guessing.";
  if (!score.criterion || (score.criterion.low <= 0 && score.criterion.high >= 0)) return `${first} You favoured neither answer noticeably.`;
  return `${first} You said ${score.criterion.value > 0 ? "“real”" : "“generated”"} too readily.`;
}

function confidence(score) {
  const points = Math.round(100 * score.overconfidence);
  if (Math.abs(points) < 5) return "On average you were about as sure as you were right.";
  return points > 0
    ? `On average you were ${points} points surer than you were right: most people are.`
    : `On average you were right ${-points} points more often than you were sure.`;
}

addEventListener("keydown", (event) => {
  if (byId("round").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const kind = { r: "real", g: "fake" }[event.key.toLowerCase()];
  if (kind && !byId("judge").hidden) {
    const input = document.querySelector(`[name=kind][value=${kind}]`);
    input.checked = true;
    byId("sure").focus();
  } else if (event.key === "Enter" && document.activeElement.matches("h2, main, body, #sure, [name=kind]")) {
    event.preventDefault();
    if (!byId("truth").hidden) guarded(next)();
    else byId("judge").requestSubmit();
  }
});
byId("choose").addEventListener("submit", guarded(begin));
byId("judge").addEventListener("submit", guarded(answer));
byId("sure").addEventListener("input", howSure);
byId("next").addEventListener("click", guarded(next));
byId("again").addEventListener("click", () => show("start", "begin"));
guarded(start)();
