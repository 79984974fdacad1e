"""How often a blender's decision, before a rule places it, changes when a photograph is altered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.evaluation.nested import Evaluation
from ensemble.core.arrays import Array, Logits


@dataclass(frozen=True)
class Movement:
    """Members' logits of some photographs of a problem, before and after they were altered.

    Attributes
    ----------
    rows : intp (photographs,)
        Of the problem; each in one held-out part.
    unaltered : float32 (photographs, members)
    altered : dict of str to float32 (photographs, members)
        By alteration.
    sha256 : str
        Of the file that they were read from.
    """

    rows: NDArray[np.intp]
    unaltered: Logits
    altered: Mapping[str, Logits]
    sha256: str

    def of(self, evaluation: Evaluation) -> Array:
        """Return the share of alterations that change a blender's decision, float64 (photographs,).

        Each photograph is decided by the part that was not fitted on it.
        """
        changes = np.full(len(self.rows), np.nan)
        for part in evaluation.parts:
            here = np.flatnonzero(self.among(part.held_out))
            before = part.blender.decision_function(self.unaltered[here]) >= 0
            after = [part.blender.decision_function(logits[here]) >= 0 for logits in self.altered.values()]
            changes[here] = np.mean([decisions != before for decisions in after], axis=0)
        return changes

    def among(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which photographs are among rows of the problem, bool (photographs,)."""
        return np.isin(self.rows, rows)
