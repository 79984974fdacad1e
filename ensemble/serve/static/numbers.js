// Probabilities, what they become under another prior, and how they are written.

const log = (p) => Math.log(p / (1 - p));
const share = (logit) => 1 / (1 + Math.exp(-logit));

/** The probability that was given under one share of fakes, under another one (Bayes' rule in odds). */
export function underPrior(probability, before, prior) {
  const p = Math.min(Math.max(probability, 1e-6), 1 - 1e-6);
  return share(log(p) - log(before) + log(prior));
}

/** The share of fakes that a slider from -3 to 3 stands for: powers of ten of the odds. */
export const priorOf = (value) => share(Number(value) * Math.LN10);
export const sliderOf = (prior) => log(prior) / Math.LN10;

export function percent(value, digits = 0) {
  if (value > 0 && value < 0.001) return "below 0.1 %";
  if (value < 1 && value > 0.999) return "above 99.9 %";
  const places = (value > 0 && value < 0.02) || (value < 1 && value > 0.98) ? 1 : digits;
  return `${(100 * value).toFixed(places)} %`;
}

/** A number of people or pictures: whole from ten on. */
export const count = (value) => (value >= 9.95 || value === 0 ? Math.round(value).toLocaleString("en") : value < 0.1 ? "fewer than 0.1" : value.toFixed(1));
