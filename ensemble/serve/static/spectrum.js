// A photograph's spectrum between those of the training photographs.
import { drawn, element } from "./dom.js";

const WIDTH = 640, HEIGHT = 300, LEFT = 44, BOTTOM = 40, TOP = 10;

export function spectrumOf(own, spectra) {
  const first = spectra.frequencies.findIndex((frequency) => frequency > 0);
  const cut = (values) => values.slice(first);
  const frequencies = cut(spectra.frequencies);
  const bands = { real: spectra.real_range.map(cut), fake: spectra.fake_range.map(cut) };
  const all = [...bands.real.flat(), ...bands.fake.flat(), ...cut(own)];
  const low = Math.min(...all), high = Math.max(...all);
  const x = (frequency) => LEFT + ((WIDTH - LEFT - 8) * frequency) / frequencies.at(-1);
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low || 1);
  const points = (values) => values.map((value, i) => `${x(frequencies[i]).toFixed(1)},${y(value).toFixed(1)}`);
  const band = ([lower, upper], kind) =>
    drawn("polygon", { class: `band ${kind}`, points: [...points(lower), ...points(upper).reverse()].join(" ") });
  const label = (text, at) => drawn("text", at, document.createTextNode(text));
  const picture = drawn(
    "svg", { class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(cut(own), bands) },
    band(bands.real, "real"), band(bands.fake, "fake"),
    drawn("polyline", { class: "own", points: points(cut(own)).join(" ") }),
    drawn("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - 8}` }),
    label("cycles a pixel", { x: WIDTH - 8, y: HEIGHT - 6, "text-anchor": "end" }),
    label("0", { x: LEFT, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }),
    label(frequencies.at(-1).toFixed(1), { x: x(frequencies.at(-1)), y: HEIGHT - BOTTOM + 16, "text-anchor": "end" }),
    label("log power", { x: 12, y: TOP + 60, transform: `rotate(-90 12 ${TOP + 60})` }),
    label(high.toFixed(1), { x: LEFT - 6, y: TOP + 8, "text-anchor": "end" }),
    label(low.toFixed(1), { x: LEFT - 6, y: HEIGHT - BOTTOM, "text-anchor": "end" }),
  );
  const key = element("ul", "", { className: "key-of" });
  key.append(element("li", "this photograph"), element("li", "real ones", { className: "real" }),
    element("li", "fakes", { className: "fake" }));
  return [picture, key];
}

/** What the picture shows, in a sentence for those who do not see it. */
function summary(own, bands) {
  const within = ([lower, upper]) => own.filter((value, i) => value >= lower[i] && value <= upper[i]).length / own.length;
  const share = (kind) => `${Math.round(100 * within(bands[kind]))} % within the band of ${kind} training photographs`;
  return `Spectrum of this photograph: ${share("real")}, ${share("fake")}.`;
}
