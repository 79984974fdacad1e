"""How often a blender's decision, before a rule places it, changes when a photograph is altered."""

from __future__ import annotations

import numpy as np

from ensemble.blend.evaluation.nested import Evaluation
from ensemble.core.arrays import Array
from ensemble.store.altered import AlteredLogits


def changes_when_altered(evaluation: Evaluation, altered: AlteredLogits) -> Array:
    """Return the share of alterations that change a blender's decision of each photograph, float64 (photographs,).

    Each photograph is decided by the part that was not fitted on it: `altered.rows` are those of the problem.
    """
    changes = np.full(len(altered.rows), np.nan)
    for part in evaluation.parts:
        here = np.flatnonzero(altered.among(part.held_out))
        before = part.blender.decision_function(altered.unaltered[here]) >= 0
        after = [part.blender.decision_function(logits[here]) >= 0 for logits in altered.altered.values()]
        changes[here] = np.mean([decisions != before for decisions in after], axis=0)
    return changes
