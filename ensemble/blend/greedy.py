"""Greedy forward selection of members, with replacement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ensemble.blend.base import Array, Blender, Labels, Logits
from ensemble.blend.objective import wrong_then_log_loss

if TYPE_CHECKING:
    from typing_extensions import Self


class GreedySelection(Blender):
    """Forward selection with replacement on the number of right decisions (Caruana et al., 2004).

    Each round adds the member whose addition to the running sum decides most rows rightly; ties go to the smaller
    log loss. The first best prefix of the path gives the weights: counts over rounds, so they are coarse and sparse.
    """

    title = "greedy"

    def __init__(self, rounds: int = 25) -> None:
        self.rounds = rounds

    def fit(self, logits: Logits, labels: Labels) -> Self:
        """Walk the path and keep its best prefix."""
        picks, values = self._walk(logits, labels)
        best = picks[: int(np.argmin(values)) + 1]
        self.weights_ = np.bincount(best, minlength=logits.shape[1]) / len(best)
        return self

    def _walk(self, logits: Logits, labels: Labels) -> tuple[list[int], list[float]]:
        picks: list[int] = []
        values: list[float] = []
        total: Array = np.zeros(len(labels))
        for size in range(1, self.rounds + 1):
            candidates = [wrong_then_log_loss((total + column) / size, labels) for column in logits.T]
            pick = int(np.argmin(candidates))
            total = total + logits[:, pick]
            picks.append(pick)
            values.append(candidates[pick])
        return picks, values
