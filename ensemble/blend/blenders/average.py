"""The average of other blenders: none of them need be the right one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ensemble.blend.blenders.base import Blender, mean_of
from ensemble.blend.blenders.boosted import BoostedStacking
from ensemble.core.arrays import Array, Folds, Labels, Logits

if TYPE_CHECKING:
    from typing import Self


class AverageOfBlenders(Blender):
    """The mean of the blended logits of several blenders.

    Parameters
    ----------
    blenders : sequence of Blender
        Those that read feature columns get the whole matrix, the others the first `members` columns.
    """

    title = "average"
    reads_columns = True
    most_rows = BoostedStacking.most_rows  # whose logits of its own rows are known for these rows only

    def __init__(self, blenders: Sequence[Blender], members: int) -> None:
        self.blenders = blenders
        self.members = members

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Fit each."""
        for blender in self.blenders:
            blender.fit(blender.columns_of(logits, self.members), labels, folds)
        return self

    def decision_function(self, logits: Logits) -> Array:
        """Their mean."""
        return mean_of(blender.decision_function(blender.columns_of(logits, self.members)) for blender in self.blenders)

    def logits_of_fit(self, logits: Logits) -> Array:
        """Their mean, each as honest as it can be."""
        return mean_of(blender.logits_of_fit(blender.columns_of(logits, self.members)) for blender in self.blenders)

    def state(self) -> dict[str, Any]:
        """The states of all."""
        states = [blender.state() for blender in self.blenders]
        return {"kind": "average", "members": self.members, "blenders": states}

    def member_weights(self, members: int) -> Array:
        """The mean weights, if all are weighted sums."""
        return mean_of(blender.member_weights(members) for blender in self.blenders)
