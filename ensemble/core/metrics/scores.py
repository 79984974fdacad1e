"""The scores: accuracy at exactly 0.5, log loss, AUC, calibration, and standard errors. Pure functions of arrays.

The few formulas that scikit-learn and SciPy have too are written here: importing these takes more than a second, for
which every command would wait. The tests compare both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import standard_error

THRESHOLD = 0.5  # fixed by the competition: at or above is fake
CLASSES = ("real", "fake")  # by label
UNSURE = (0.2, 0.8)  # probabilities between these are no answer for who must not be wrong
PLATEAU = 0.004  # accuracies this close to the best are the same hill: its top jumps from sample to sample
_CLIP = 1e-7  # a probability of 0 or 1 is a rounding, not a certainty; |logit| stays below 16.2


def to_logits(probabilities: Array) -> Array:
    """Compute log-odds of probabilities, clipped to [1e-7, 1 - 1e-7] so that they are finite; 0.5 gives exactly 0."""
    clipped = np.clip(probabilities, _CLIP, 1 - _CLIP)
    logits: Array = np.log(clipped / (1 - clipped))
    return logits


def to_probabilities(logits: Array) -> Array:
    """Invert `to_logits`, for logits of any size."""
    small = np.exp(-np.abs(logits))
    probabilities: Array = np.where(logits >= 0, 1, small) / (1 + small)
    return probabilities


def correct_probabilities(probabilities: Array, labels: Labels) -> NDArray[np.bool_]:
    """Return whether each decision at 0.5 is right: bool (n,)."""
    right: NDArray[np.bool_] = (probabilities >= THRESHOLD) == (labels == 1)
    return right


def fold_accuracies(right: NDArray[np.bool_], folds: NDArray[np.int64]) -> Array:
    """Compute the accuracy of each fold that has rows (folds,)."""
    rows = np.bincount(folds)
    accuracies: Array = np.bincount(folds[right], minlength=len(rows))[rows > 0] / rows[rows > 0]
    return accuracies


def expected_calibration_error(probabilities: Array, labels: Labels, bins: int = 15) -> float:
    """Compute the ECE (Naeini et al., 2015) over equal-width bins: |probability of fake - share of fakes|."""
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = np.bincount(index, weights=probabilities - labels, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def log_loss(logits: Array, labels: Labels) -> Array:
    """Compute the loss of each row (n,), -log of the probability of the true label, from logits of any size."""
    losses: Array = np.logaddexp(0, np.where(labels == 1, -logits, logits))
    return losses


def area_under_curve(scores: Array, labels: Labels) -> float:
    """Compute the ROC AUC: how often a fake scores above a real one, ties half; NaN when a class is absent."""
    fakes, reals = np.sort(scores[labels == 1]), np.sort(scores[labels != 1])
    if len(fakes) == 0 or len(reals) == 0:
        return float("nan")
    below, upto = np.searchsorted(reals, fakes, "left"), np.searchsorted(reals, fakes, "right")
    return float((below.sum() + upto.sum()) / 2 / (len(fakes) * len(reals)))


@dataclass(frozen=True)
class Scores:
    """Scores of one set of predictions."""

    n: int
    accuracy: float
    standard_error: float
    log_loss: float
    auc: float
    ece: float


def score(probabilities: Array, labels: Labels) -> Scores:
    """Compute all scores of probabilities (n,) against labels 0/1 (n,). AUC is NaN where only one class is present."""
    right = correct_probabilities(probabilities, labels)
    return Scores(
        n=len(labels),
        accuracy=float(right.mean()),
        standard_error=standard_error(right),
        log_loss=float(log_loss(to_logits(probabilities), labels).mean()),
        auc=area_under_curve(probabilities, labels),
        ece=expected_calibration_error(probabilities, labels),
    )
