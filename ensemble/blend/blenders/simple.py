"""Blenders without a search: the plain mean, which the others must beat, the best member, the average of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.blend.blenders.base import Blender, LinearBlender, clone
from ensemble.blend.blenders.boosted import BoostedStacking
from ensemble.blend.blenders.rows import mean_of
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.decisions import wrong_then_log_loss

if TYPE_CHECKING:
    from typing import Self


class MeanOfLogits(LinearBlender):
    """Equal weights: the geometric mean of the members' odds. It learns nothing, so it cannot overfit."""

    title = "mean"
    learns = False

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Count the members."""
        self.weights_ = np.full(logits.shape[1], 1 / logits.shape[1])
        return self


class SingleBest(LinearBlender):
    """The member with the most correct decisions, alone; ties go to the smaller log loss."""

    title = "single_best"

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Score every member once."""
        best = int(np.argmin([wrong_then_log_loss(column, labels) for column in logits.T]))
        self.weights_ = np.eye(logits.shape[1])[best]
        return self


class FixedWeights(LinearBlender):
    """Weights that were learned before; they need no fit."""

    title = "fixed weights"

    def __init__(self, weights: Sequence[float], intercept: float = 0.0) -> None:
        self.weights = weights
        self.intercept = intercept
        self.weights_ = np.array(weights, dtype=np.float64)
        self.intercept_ = intercept

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Learn nothing."""
        return self


class AverageOfBlenders(Blender):
    """The mean of the blended logits of several blenders.

    Parameters
    ----------
    blenders : sequence of Blender
        Those that read feature columns get the whole matrix, the others the first `members` columns.

    Attributes
    ----------
    blenders_ : list of Blender
        Fitted clones of `blenders`.
    """

    title = "average"
    reads_columns = True
    most_rows = BoostedStacking.most_rows  # its out-of-fold logits are known for these rows only

    def __init__(self, blenders: Sequence[Blender], members: int) -> None:
        self.blenders = blenders
        self.members = members

    @classmethod
    def of_fitted(cls, blenders: Sequence[Blender], members: int) -> Self:
        """Return the average of blenders that are fitted already."""
        average = cls(blenders, members)
        average.blenders_ = list(blenders)
        return average

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Fit a clone of each."""
        self.blenders_ = [clone(b).fit(b.columns_of(logits, self.members), labels, folds) for b in self.blenders]
        return self

    def decision_function(self, logits: Logits) -> Array:
        """Return the mean of their logits."""
        return mean_of(b.decision_function(b.columns_of(logits, self.members)) for b in self.blenders_)

    def logits_of_fit(self, logits: Logits, labels: Labels, folds: Folds) -> Array:
        """Return the mean of their `logits_of_fit`."""
        return mean_of(b.logits_of_fit(b.columns_of(logits, self.members), labels, folds) for b in self.blenders_)

    def state(self) -> dict[str, Any]:
        """Return the states of all."""
        states = [blender.state() for blender in self.blenders_]
        return {"kind": "average", "members": self.members, "blenders": states}

    def member_weights(self, members: int) -> Array:
        """Return the mean weights, if all are weighted sums."""
        return mean_of(blender.member_weights(members) for blender in self.blenders_)
