"""How well somebody knows real from generated: accuracy, sensitivity, bias, and how sure they were when right.

Sensitivity d' and criterion c are those of signal detection (Green and Swets, 1966), with the log-linear correction of
Hautus (1995) that keeps them finite, and intervals by the variance of Gourevitch and Galanter (1967).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Final

from pydantic import Field

from ensemble.core.metrics.intervals import wilson_interval
from ensemble.core.metrics.scores import THRESHOLD
from ensemble.predict.bundle.manifest import Section

_NORMAL: Final = NormalDist()
_Z: Final = _NORMAL.inv_cdf(0.975)
_BINS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of how sure they were


class Round(Section):
    """One picture, and what was said about it."""

    fake: bool
    said_fake: bool
    sure: float = Field(ge=0.5, le=1)
    """Probability of being right, by the player."""
    probability: float | None = None
    """Of fake, by the ensemble."""


class Estimate(Section):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


class Bin(Section):
    """Pictures about which the player was about as sure."""

    sure: float
    """Mean."""
    correct: int
    pictures: int


class Score(Section):
    """The result of a game."""

    pictures: int
    correct: int
    accuracy: Estimate
    hits: int
    """Fakes that were called generated."""
    fakes: int
    false_alarms: int
    """Real ones that were called generated."""
    reals: int
    sensitivity: Estimate | None
    """d': 0 is guessing, 1 is two of three, 2 is five of six. None where only one kind was shown."""
    criterion: Estimate | None
    """c: above 0 the player calls pictures real too readily, below 0 generated."""
    calibration: list[Bin]
    overconfidence: float
    """Mean of how sure the player was, less the share of correct answers."""
    ensemble: Estimate | None
    """Accuracy of the ensemble on the same pictures; None where it has not answered about all."""


def score_of(rounds: Sequence[Round]) -> Score:
    """Return the result of a game of at least one round."""
    fakes = [each for each in rounds if each.fake]
    reals = [each for each in rounds if not each.fake]
    hits, alarms = sum(each.said_fake for each in fakes), sum(each.said_fake for each in reals)
    correct = sum(each.said_fake == each.fake for each in rounds)
    both = (hits, len(fakes), alarms, len(reals)) if fakes and reals else None
    return Score(
        pictures=len(rounds),
        correct=correct,
        accuracy=_share(correct, len(rounds)),
        hits=hits,
        fakes=len(fakes),
        false_alarms=alarms,
        reals=len(reals),
        sensitivity=both and _sensitivity(*both),
        criterion=both and _criterion(*both),
        calibration=_calibration(rounds),
        overconfidence=sum(each.sure for each in rounds) / len(rounds) - correct / len(rounds),
        ensemble=_of_ensemble(rounds),
    )


def _share(count: int, of: int) -> Estimate:
    low, high = wilson_interval(count, of)
    return Estimate(value=count / of, low=low, high=high)


def _of_ensemble(rounds: Sequence[Round]) -> Estimate | None:
    known = [(each.probability >= THRESHOLD, each.fake) for each in rounds if each.probability is not None]
    if len(known) < len(rounds):
        return None
    return _share(sum(called == fake for called, fake in known), len(rounds))


def _sensitivity(hits: int, fakes: int, alarms: int, reals: int) -> Estimate:
    hit, alarm, error = _rates(hits, fakes, alarms, reals)
    return _within(_NORMAL.inv_cdf(hit) - _NORMAL.inv_cdf(alarm), error)


def _criterion(hits: int, fakes: int, alarms: int, reals: int) -> Estimate:
    hit, alarm, error = _rates(hits, fakes, alarms, reals)
    return _within(-(_NORMAL.inv_cdf(hit) + _NORMAL.inv_cdf(alarm)) / 2, error / 2)


def _rates(hits: int, fakes: int, alarms: int, reals: int) -> tuple[float, float, float]:
    """Return both rates, corrected, and the standard error of the difference of their normal scores."""
    hit, alarm = (hits + 0.5) / (fakes + 1), (alarms + 0.5) / (reals + 1)
    variances = [
        rate * (1 - rate) / (of * _NORMAL.pdf(_NORMAL.inv_cdf(rate)) ** 2)
        for rate, of in ((hit, fakes), (alarm, reals))
    ]
    return hit, alarm, math.sqrt(sum(variances))


def _within(value: float, error: float) -> Estimate:
    return Estimate(value=value, low=value - _Z * error, high=value + _Z * error)


def _calibration(rounds: Sequence[Round]) -> list[Bin]:
    """Return what was right among pictures about which the player was about as sure."""
    found = []
    for number, (low, high) in enumerate(pairwise(_BINS)):
        last = number == len(_BINS) - 2
        these = [each for each in rounds if low <= each.sure < high or (last and each.sure >= high)]
        if these:
            correct = sum(each.said_fake == each.fake for each in these)
            sure = sum(each.sure for each in these) / len(these)
            found.append(Bin(sure=sure, correct=correct, pictures=len(these)))
    return found
