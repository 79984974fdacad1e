"""The plain mean of logits: the blender that cannot overfit, and the one that others must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ensemble.blend.base import Blender, Labels, Logits

if TYPE_CHECKING:
    from typing_extensions import Self


class MeanOfLogits(Blender):
    """Equal weights: the geometric mean of the members' odds."""

    title = "mean"

    def fit(self, logits: Logits, labels: Labels) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        self.weights_ = np.full(logits.shape[1], 1 / logits.shape[1])
        return self
