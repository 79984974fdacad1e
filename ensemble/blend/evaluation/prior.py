"""Prior shift: does the share of fakes differ between test and training rows? Two estimates, and a correction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import proportion_variance
from ensemble.core.metrics.scores import to_probabilities

_AGREE = 0.03  # estimates further apart than this show that more than the share has changed
_ITERATIONS = 1000
_EDGE = 1e-4


@dataclass(frozen=True)
class PriorShift:
    """The share of fakes: among the training rows, and among the test rows by two estimates.

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
        """Whether the two estimates agree within chance; if not, more than the share has changed."""
        return abs(self.em - self.bbse) <= max(_AGREE, 2 * self.error)

    @property
    def shifted(self) -> bool:
        """Whether both estimates are further from the training share than chance explains."""
        far = max(_AGREE, 2 * self.error)
        return min(abs(self.em - self.training), abs(self.bbse - self.training)) > far

    @property
    def correction(self) -> float:
        """Logit to add to calibrated test logits for the share by EM; 0 unless the share alone has changed."""
        if not (self.agree and self.shifted):
            return 0.0
        return _log_odds(self.em) - _log_odds(self.training)

    def in_words(self, asked: bool) -> str:
        """Describe the shift, and its correction if that was asked for; empty if there is nothing to say."""
        numbers = f"share of fakes among the test photographs: {self.em:.3f} (EM) and {self.bbse:.3f} (BBSE)"
        training = f"among the training photographs {self.training:.3f}"
        if not self.agree:
            return (
                f"{numbers}, {training}; the two estimates disagree, so more than the share differs, and nothing is "
                "corrected"
            )
        if self.shifted:
            applied = "the test logits are corrected for it" if asked else "--correct-prior corrects for it"
            return f"{numbers}, {training}; {applied}"
        return f"{numbers}, the same as in training within the error: nothing is corrected" if asked else ""


def estimate_prior(nested: Array, labels: Labels, test: Array) -> PriorShift:
    """Estimate from nested logits (rows,), their labels, and test logits (test rows,), all with one decision rule."""
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
    """Return the share of fakes at which the known error rates give the predictions observed, and its error."""
    fake = labels == 1
    hits, alarms = float((nested[fake] >= 0).mean()), float((nested[~fake] >= 0).mean())
    predicted_fake, span = float((test >= 0).mean()), hits - alarms
    if span <= 0:
        return predicted_fake, float("inf")
    share = float(np.clip((predicted_fake - alarms) / span, 0, 1))
    variance = (
        proportion_variance(test >= 0)
        + share**2 * proportion_variance(nested[fake] >= 0)
        + (1 - share) ** 2 * proportion_variance(nested[~fake] >= 0)
    )
    return share, float(np.sqrt(variance) / span)
