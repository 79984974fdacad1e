"""From a logit to words: evidence of generation, with the error rate that was measured. Nothing is ever called real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ensemble.core.metrics.intervals import wilson_interval
from ensemble.predict.bundle.manifest import Rate, Verdicts

STRONG: Final = "strong evidence of generation"
SOME: Final = "some evidence of generation"
NO: Final = "no evidence of generation"
CANNOT: Final = "cannot say"


@dataclass(frozen=True)
class FalsePositives:
    """Share of the real photographs about which something was said that had as much evidence, and its 95 % interval.

    Attributes
    ----------
    variant : str
        The alteration, of those that the limits hold for, on which it was largest.
    """

    share: float
    low: float
    high: float
    variant: str
    real: int


def verdict_of(logit: float, verdicts: Verdicts) -> str:
    """Return the words for a logit."""
    if logit >= verdicts.strong:
        return STRONG
    return SOME if logit >= verdicts.some else NO


def false_positives(verdict: str, verdicts: Verdicts) -> FalsePositives | None:
    """Return the false-positive rate to state beside a verdict; None where it accuses nobody, or nothing was tested."""
    measured = [rate for rate in verdicts.rates if rate.guaranteed and rate.real > rate.undecided_real]
    counts = [(_alarms(rate, verdict), rate.real - rate.undecided_real, rate.title) for rate in measured]
    if verdict not in (STRONG, SOME) or not counts:
        return None
    alarms, real, title = max(counts, key=lambda count: (count[0] / count[1], -count[1]))
    return FalsePositives(alarms / real, *wilson_interval(alarms, real), variant=title, real=real)


@dataclass(frozen=True)
class Weight:
    """How often a verdict is given: bounds by the worst of the variants that the limits hold for.

    Attributes
    ----------
    fakes : float
        Lower end of the 95 % interval of the share of fakes that get exactly this verdict.
    reals : float
        Upper end of that of real photographs.
    """

    fakes: float
    reals: float


def weight_of(verdict: str, verdicts: Verdicts) -> Weight | None:
    """Return how often fakes and real photographs get a verdict; None where that was not measured."""
    counts = [_exactly(rate, verdict) for rate in verdicts.rates if rate.guaranteed]
    fakes = [wilson_interval(count, of)[0] for count, of, _, _ in counts if of]
    reals = [wilson_interval(count, of)[1] for _, _, count, of in counts if of]
    return Weight(min(fakes), max(reals)) if fakes and reals and verdict != CANNOT else None


def _exactly(rate: Rate, verdict: str) -> tuple[int, int, int, int]:
    """Return fakes with exactly this verdict, fakes about which something is said, and the same of real ones."""
    fakes, reals = rate.fake - rate.undecided_fake, rate.real - rate.undecided_real
    if verdict == STRONG:
        return rate.strong_found, fakes, rate.strong_false, reals
    if verdict == SOME:
        return rate.some_found - rate.strong_found, fakes, rate.some_false - rate.strong_false, reals
    return fakes - rate.some_found, fakes, reals - rate.some_false, reals


def _alarms(rate: Rate, verdict: str) -> int:
    return rate.strong_false if verdict == STRONG else rate.some_false


def in_words(verdict: str, verdicts: Verdicts) -> str:
    """Return a sentence about a verdict's error rate."""
    found = false_positives(verdict, verdicts)
    if verdict == CANNOT:
        return "Nothing can be concluded."
    if verdict == NO:
        return "No evidence was found, which does not show that a camera took the photograph."
    if found is None:
        return "How often real photographs get as much evidence was not measured."
    return (
        f"Of {found.real} held-out real photographs about which something was said, {found.share:.1%} had as much "
        f"evidence (95 % interval {found.low:.1%} to {found.high:.1%}; {found.variant}, the worst of the variants that "
        "the limits hold for)."
    )


def limits_for(real: Sequence[Sequence[float]], rate: float) -> float:
    """Return the smallest limit, at least zero, that another real photograph of each group reaches at a rate.

    The conformal quantile (Bates et al., "Testing for outliers with conformal p-values", Annals of Statistics 2023): of
    n photographs the one of rank r from above is exceeded by another one with probability r / (n + 1), so the rank is
    rate * (n + 1); between two ranks the limit is interpolated. Of fewer than 1 / rate - 1 photographs no limit holds
    the rate; then it lies above all of them.

    Parameters
    ----------
    real : sequence of sequences of float
        Logits of held-out real photographs, a group for each variant.
    """
    limit = 0.0
    for group in real:
        ordered = sorted(group, reverse=True)
        position = max(rate * (len(ordered) + 1) - 1, 0.0)
        first = int(position)
        if first < len(ordered):
            second = ordered[min(first + 1, len(ordered) - 1)]
            limit = max(limit, _above(ordered[first] + (position - first) * (second - ordered[first])))
    return limit


def _above(value: float) -> float:
    """Return the next number above a value, by a margin that a rounding elsewhere cannot cross."""
    return value + max(1e-6, 1e-6 * abs(value))
