// ---- figures: drawn when they come near, in the colours of the theme ----
const figures = JSON.parse(document.getElementById("figures").textContent);
const probe = document.body.appendChild(document.createElement("span"));
probe.hidden = true;

// The library is megabytes: it is read when the first figure comes near, not before the answer can be seen.
function library() {
  if (!window.Plotly) {
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    document.head.append(script);
  }
  return window.Plotly;
}

const COLOUR = /^\$(real|fake|accent|muted|ink|ground|raised|line|fine|look|alarm|[1-8])$/;

function colour(name) {
  const found = name.slice(1);
  probe.style.color = `var(--${/^\d$/.test(found) ? "c" : ""}${found})`;
  return getComputedStyle(probe).color;
}

// A specification with the names of colours replaced by those of the theme.
function themed(value) {
  if (typeof value === "string") return COLOUR.test(value) ? colour(value) : value;
  if (Array.isArray(value)) return value.map(themed);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, themed(inner)]));
  }
  return value;
}

// Defaults of all figures; grid lines run across the values.
function template(traces) {
  const lying = traces.some((trace) => trace.orientation === "h");
  const axis = {
    gridcolor: "$line", linecolor: "$muted", zerolinecolor: "$muted", zeroline: false, showline: false, ticks: "",
    ticklabelstandoff: 4, tickfont: { color: "$muted" }, title: { standoff: 10, font: { color: "$muted", size: 12 } },
    automargin: true, fixedrange: true,
  };
  const colorbar = { thickness: 10, outlinewidth: 0, tickfont: { color: "$muted" } };
  return themed({
    layout: {
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "$ink" },
      colorway: ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8"],
      colorscale: { sequential: [[0, "$raised"], [1, "$accent"]] },
      coloraxis: { colorbar },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 40, r: 12, t: 12, b: 36 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, bgcolor: "rgba(0,0,0,0)" },
      hoverlabel: { bgcolor: "$raised", bordercolor: "$line", font: { color: "$ink" } },
      dragmode: false,
      xaxis: { ...axis, showgrid: lying, showline: !lying },
      yaxis: { ...axis, showgrid: !lying, showline: lying },
    },
    data: { heatmap: [{ colorbar, xgap: 2, ygap: 2 }], bar: [{ marker: { line: { width: 0 } } }] },
  });
}

// Long names at an axis keep their beginning and their end.
function shortened(traces, room) {
  const names = traces.flatMap((trace) => [...(trace.x ?? []), ...(trace.y ?? [])]);
  const long = names.filter((name) => typeof name === "string" && name.length > room);
  const half = (room - 1) / 2;
  return Object.fromEntries(long.map((name) => [name, `${name.slice(0, half)}…${name.slice(-half)}`]));
}

// On a phone many words beside points would lie upon one another; they are in the table, and appear at a touch.
function uncrowded(traces, width) {
  const isCrowded = ({ mode, text }) => width < 600 && Array.isArray(text) && text.length > 4 && /markers/.test(mode);
  return traces.map((trace) => (isCrowded(trace) ? { ...trace, mode: trace.mode.replace("+text", "") } : trace));
}

function laidOut(traces, layout, width) {
  const complete = { ...themed(layout), template: template(traces) };
  const labelalias = shortened(traces, width < 600 ? 17 : 41);
  const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
  for (const key of new Set(["xaxis", "yaxis", ...axes])) {
    const given = complete[key] ?? {};
    const title = typeof given.title === "string" ? { text: given.title } : given.title;
    complete[key] = { labelalias, ...given, ...(title && { title }) };
  }
  return complete;
}

function draw(plot) {
  const { traces, layout } = figures[plot.dataset.figure];
  const complete = laidOut(traces, layout, plot.clientWidth);
  plot.classList.add("drawn");
  library().react(plot, themed(uncrowded(traces, plot.clientWidth)), complete, { displayModeBar: false, responsive: true });
}

const plots = [...document.querySelectorAll(".plot")];
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    near.unobserve(entry.target);
    draw(entry.target);
  }
}, { rootMargin: "600px" });

// An observer reports the position of each at once: those in view are drawn now, the others when they come near.
function drawWhatIsNear() {
  for (const plot of plots) {
    near.unobserve(plot);
    near.observe(plot);
  }
}

// ---- themes ----
const root = document.documentElement;
const themeButton = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}

function themeChanged() {
  themeButton.textContent = isDark() ? "Light colours" : "Dark colours";
  drawWhatIsNear();
}

themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  themeChanged();
});
system.addEventListener("change", themeChanged);
themeChanged();

// ---- paper: light, with every figure, those in closed parts too ----
let before = null;
addEventListener("beforeprint", () => {
  const closed = [...document.querySelectorAll("details.opened:not([open])")];
  before = { theme: root.dataset.theme, closed };
  root.dataset.theme = "light";
  for (const part of closed) part.open = true;
  plots.forEach(draw);
});
addEventListener("afterprint", () => {
  if (!before) return;
  if (before.theme) root.dataset.theme = before.theme;
  else delete root.dataset.theme;
  for (const part of before.closed) part.open = false;
  before = null;
  themeChanged();
});
