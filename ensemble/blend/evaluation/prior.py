"""Is the share of fakes among the test rows another than among the training rows? Two estimates, and a correction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import proportion_variance
from ensemble.core.metrics.scores import to_probabilities

_AGREE = 0.03  # two estimates further apart than this tell that more than the share has changed
_ITERATIONS = 1000
_EDGE = 1e-4


@dataclass(frozen=True)
class PriorShift:
    """The share of fakes: among the training rows, and among the test rows as two ways estimate it.

    Attributes
    ----------
    training : float
        Counted.
    em : float
        By expectation maximisation (Saerens et al., 2002), from the probabilities.
    bbse : float
        By the confusion matrix (Lipton et al., 2018), from the decisions.
    error : float
        Standard error of `bbse`, from both samples.
    """

    training: float
    em: float
    bbse: float
    error: float

    @property
    def agree(self) -> bool:
        """Whether the two estimates are of one mind, but for chance; else it is no mere change of the share."""
        return abs(self.em - self.bbse) <= max(_AGREE, 2 * self.error)

    @property
    def shifted(self) -> bool:
        """Whether both lie further from the training share than chance lets them."""
        far = max(_AGREE, 2 * self.error)
        return min(abs(self.em - self.training), abs(self.bbse - self.training)) > far

    @property
    def correction(self) -> float:
        """What is added to calibrated test logits for the share that EM found; 0 unless the share alone changed."""
        if not (self.agree and self.shifted):
            return 0.0
        return _log_odds(self.em) - _log_odds(self.training)

    def in_words(self, corrected: bool) -> str:
        """What to know, and what was done about it; empty where there is nothing to say."""
        numbers = f"{self.em:.3f} (EM) and {self.bbse:.3f} (BBSE) of the test photographs are fake by two estimates"
        if not self.agree:
            return (
                f"{numbers}, of the training photographs {self.training:.3f}: they disagree, so more than the share "
                "differs, and nothing is corrected"
            )
        if self.shifted:
            done = "the test logits allow for it" if corrected else "--correct-prior allows for it"
            return f"{numbers}, but {self.training:.3f} of the training photographs; {done}"
        return f"{numbers}, as many as in training, as far as can be told: nothing is corrected" if corrected else ""


def estimate_prior(nested: Array, labels: Labels, test: Array) -> PriorShift:
    """Estimate from nested logits (rows,), their labels, and test logits (test rows,), all decided alike."""
    training = float((labels == 1).mean())
    bbse, error = _black_box(nested, labels, test)
    return PriorShift(training, _expectation_maximisation(test, training), bbse, error)


def _expectation_maximisation(test: Array, training: float) -> float:
    share, base = training, _log_odds(training)
    for _ in range(_ITERATIONS):
        moved = float(to_probabilities(test + _log_odds(share) - base).mean())
        if abs(moved - share) < 1e-7:
            break
        share = moved
    return share


def _log_odds(share: float) -> float:
    clipped = min(max(share, _EDGE), 1 - _EDGE)
    return math.log(clipped / (1 - clipped))


def _black_box(nested: Array, labels: Labels, test: Array) -> tuple[float, float]:
    """The share at which the known rates of right and wrong calls give the calls that were made."""
    fake = labels == 1
    hits, alarms = float((nested[fake] >= 0).mean()), float((nested[~fake] >= 0).mean())
    called, span = float((test >= 0).mean()), hits - alarms
    if span <= 0:
        return called, float("inf")
    share = float(np.clip((called - alarms) / span, 0, 1))
    variance = (
        proportion_variance(test >= 0)
        + share**2 * proportion_variance(nested[fake] >= 0)
        + (1 - share) ** 2 * proportion_variance(nested[~fake] >= 0)
    )
    return share, float(np.sqrt(variance) / span)
