"""Blenders that search for nothing: the plain mean, which others must beat, and the best member alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ensemble.blend.blenders.base import LinearBlender
from ensemble.core.arrays import Folds, Labels, Logits
from ensemble.core.metrics.decisions import wrong_then_log_loss

if TYPE_CHECKING:
    from typing import Self


class MeanOfLogits(LinearBlender):
    """Equal weights: the geometric mean of the members' odds. It learns nothing, so it cannot overfit."""

    title = "mean"
    learns = False

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        self.weights_ = np.full(logits.shape[1], 1 / logits.shape[1])
        return self


class SingleBest(LinearBlender):
    """The member with most right decisions, alone; ties go to the smaller log loss."""

    title = "single_best"

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Look at every member once."""
        best = int(np.argmin([wrong_then_log_loss(column, labels) for column in logits.T]))
        self.weights_ = np.eye(logits.shape[1])[best]
        return self
