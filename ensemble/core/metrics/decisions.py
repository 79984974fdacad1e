"""Objectives of searches: wrong decisions at 0.5, and among equals the log loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels, Logits

_ALMOST_ONE = 1 - 1e-9
_STEP = np.float32(2**18)  # whole numbers to a logit: sums of 200 members of |logit| <= 16.2 still fit into 32 bits

_EXP_OVERFLOWS = np.float32(80)

Margins = NDArray[np.int32]


class RightDecisions:
    """Exact counter of right decisions, for running sums of members.

    A logit becomes a whole number of 1/2^18, rounded down, so that its sign stays; doubled, and negated for real
    photographs. Sums of whole numbers do not depend on their order. A fake whose logits sum to exactly zero counts as
    right, since its sum starts at one, which no sum of even numbers can cancel. A decision is right where the sum is
    above zero, so one comparison of a member with the running sum counts the right decisions after adding it.

    Attributes
    ----------
    margins : int32 (members, rows)
        Contributions of each member.
    """

    def __init__(self, logits: Logits, labels: Labels) -> None:
        sign = np.where(labels == 1, np.float32(2), np.float32(-2))
        self.margins: Margins = np.empty(logits.shape[::-1], dtype=np.int32)
        for margins, column in zip(self.margins, logits.T, strict=True):
            np.multiply(np.floor(column * _STEP), sign, out=margins, casting="unsafe")
        self.start: Margins = (labels == 1).astype(np.int32)
        self._threshold, self._right = np.empty_like(self.start), np.empty(len(labels), dtype=np.bool_)

    def counts(self, total: Margins, members: NDArray[np.intp]) -> NDArray[np.intp]:
        """Count right decisions after adding each of the members to a running sum (rows,)."""
        np.negative(total, out=self._threshold)
        return np.array([self._above(self.margins[member]) for member in members], dtype=np.intp)

    def log_loss(self, total: Margins, size: int) -> float:
        """Compute the mean log loss of a running sum of `size` members, divided by it; in single precision."""
        return softplus_mean(total * np.float32(-0.5 / (size * _STEP)))

    def _above(self, margins: Margins) -> int:
        np.greater(margins, self._threshold, out=self._right)
        return int(np.count_nonzero(self._right))


def softplus_mean(x: NDArray[np.float32]) -> float:
    """Compute the mean of log(1 + exp(x)) over x (n,) float32, which is overwritten; faster than `logaddexp`.

    Above 80, where exp(x) overflows, log(1 + exp(x)) equals x in single precision.
    """
    beyond = float(np.maximum(x - _EXP_OVERFLOWS, 0).mean()) if len(x) and x.max() > _EXP_OVERFLOWS else 0.0
    np.minimum(x, _EXP_OVERFLOWS, out=x)
    np.exp(x, out=x)
    x += np.float32(1)
    np.log(x, out=x)
    return beyond + float(x.mean(dtype=np.float64))


def right_decisions(logits: Array | NDArray[np.float32], labels: Labels) -> NDArray[np.bool_]:
    """Return whether each decision (rows,) is right: fake (1) at or above zero."""
    right: NDArray[np.bool_] = (logits >= 0) == (labels == 1)
    return right


def right_count(logits: Array | NDArray[np.float32], labels: Labels) -> int:
    """Count right decisions."""
    return int(np.count_nonzero(right_decisions(logits, labels)))


def mean_log_loss(logits: Array | NDArray[np.float32], labels: Labels) -> float:
    """Compute the mean log loss of logits (rows,), in single precision."""
    return softplus_mean(np.where(labels == 1, -logits, logits).astype(np.float32))


def wrong_then_log_loss(logits: Array | NDArray[np.float32], labels: Labels) -> float:
    """Count wrong decisions, plus a fraction below one that orders equal counts by log loss."""
    loss = mean_log_loss(logits, labels)
    return len(labels) - right_count(logits, labels) + min(loss / (1 + loss), _ALMOST_ONE)
