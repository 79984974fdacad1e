"""Objectives of blenders: the number of wrong decisions at 0.5, ties by log loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels, Logits

_ALMOST_ONE = 1 - 1e-9
_STEP = np.float32(2**18)  # integers per logit: sums of 200 members with |logit| <= 16.2 still fit into 32 bits
_EXP_LIMIT = np.float32(80)

Margins = NDArray[np.int32]


class DecisionCounter:
    """Exact count of correct decisions, for running sums of members.

    A logit becomes an integer multiple of 1/2^18, rounded down, which keeps its sign; it is doubled, and negated for
    real photographs. Sums of integers do not depend on their order. A fake whose logits sum to exactly zero is correct:
    its sum starts at one, which no even numbers can cancel. So a decision is correct where the sum is above zero, and
    one comparison of a member with the running sum counts the correct decisions after adding it.

    Attributes
    ----------
    margins : int32 (members, rows)
        What each member adds.
    """

    def __init__(self, logits: Logits, labels: Labels) -> None:
        sign = np.where(labels == 1, np.float32(2), np.float32(-2))
        self.margins: Margins = np.empty(logits.shape[::-1], dtype=np.int32)
        for margins, column in zip(self.margins, logits.T, strict=True):
            np.multiply(np.floor(column * _STEP), sign, out=margins, casting="unsafe")
        self.start: Margins = (labels == 1).astype(np.int32)
        self._threshold, self._correct = np.empty_like(self.start), np.empty(len(labels), dtype=np.bool_)

    def counts(self, total: Margins, members: NDArray[np.intp]) -> NDArray[np.intp]:
        """Count correct decisions after adding each of the members to a running sum (rows,)."""
        np.negative(total, out=self._threshold)
        return np.array([self._above(self.margins[member]) for member in members], dtype=np.intp)

    def log_loss(self, total: Margins, size: int) -> float:
        """Return the mean log loss of a running sum of `size` members, divided by it; in single precision."""
        return softplus_mean(total * np.float32(-0.5 / (size * _STEP)))

    def _above(self, margins: Margins) -> int:
        np.greater(margins, self._threshold, out=self._correct)
        return int(np.count_nonzero(self._correct))


def softplus_mean(x: NDArray[np.float32]) -> float:
    """Return the mean of log(1 + exp(x)) over x (n,) float32, overwriting x; several times as fast as `logaddexp`.

    Where 1 is lost beside exp(x), the logarithm loses nothing; above 80, before exp(x) overflows, x is the value.
    """
    beyond = float(np.maximum(x - _EXP_LIMIT, 0).mean()) if len(x) and x.max() > _EXP_LIMIT else 0.0
    np.minimum(x, _EXP_LIMIT, out=x)
    np.exp(x, out=x)
    x += np.float32(1)
    np.log(x, out=x)
    return beyond + float(x.mean(dtype=np.float64))


def correct_logits(logits: Array | NDArray[np.float32], labels: Labels) -> NDArray[np.bool_]:
    """Return which decisions (rows,) are correct: fake (1) at or above zero."""
    correct: NDArray[np.bool_] = (logits >= 0) == (labels == 1)
    return correct


def correct_count(logits: Array | NDArray[np.float32], labels: Labels) -> int:
    """Count correct decisions."""
    return int(np.count_nonzero(correct_logits(logits, labels)))


def mean_log_loss(logits: Array | NDArray[np.float32], labels: Labels) -> float:
    """Return the mean log loss of logits (rows,), in single precision."""
    return softplus_mean(np.where(labels == 1, -logits, logits).astype(np.float32))


def wrong_then_log_loss(logits: Array | NDArray[np.float32], labels: Labels) -> float:
    """Return the number of wrong decisions, plus a fraction below one that breaks ties by log loss."""
    loss = mean_log_loss(logits, labels)
    return len(labels) - correct_count(logits, labels) + min(loss / (1 + loss), _ALMOST_ONE)
