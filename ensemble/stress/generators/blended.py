"""The blend on clusters that its members never saw, and the same blend on the random folds."""

from __future__ import annotations

import numpy as np

from ensemble.blend.blenders.roster import blenders
from ensemble.blend.evaluation.nested import Problem, evaluate
from ensemble.config import BlendSettings
from ensemble.core.arrays import Array, Logits
from ensemble.core.threads import threads
from ensemble.folds.ledger import FoldLedger


def nested_logits(method: str, settings: BlendSettings, logits: Logits, ledger: FoldLedger) -> Array:
    """Blended logits (rows,): each fold's by a blender that was fitted on the other folds of the same ledger.

    On folds that are clusters neither the members nor the blender have seen a fake of the cluster.
    """
    (pair,) = blenders(settings.model_copy(update={"methods": (method,)}), logits.shape[1])
    problem = Problem(logits, logits.shape[1], ledger.labels, ledger.folds)
    with threads(1):
        return evaluate(*pair, problem).nested.astype(np.float64)
