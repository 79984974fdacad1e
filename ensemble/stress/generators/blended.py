"""The blend on clusters that its members never saw, and the same blend on the random folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ensemble.blend.blenders.roster import blenders
from ensemble.blend.evaluation.nested import Problem, evaluate
from ensemble.config.experiment import BlendSettings
from ensemble.core.arrays import Array, Logits
from ensemble.core.threads import threads
from ensemble.folds.ledger import FoldLedger
from ensemble.store.results import BLEND

# Blenders that search with Optuna, and averages, would take minutes on each kind of folds.
QUICK = ("mean", "single_best", "greedy", "greedy_log_loss", "bagged_greedy", "nonnegative_logistic")
STAND_IN = "greedy"  # for the others: it drops weak members as they do


def blend_method(manifest: dict[str, Any] | None) -> str:
    """Return the store's chosen blender if it is quick to fit, else `greedy`; the plain mean if there is no blend."""
    if manifest is None:
        return "mean"
    chosen = str(manifest["chosen"])
    return chosen if chosen in QUICK else STAND_IN


def blend_name(method: str) -> str:
    """Return the blend's name in tables, which no member can have."""
    return f"{BLEND} ({method})"


def nested_logits(method: str, settings: BlendSettings, logits: Logits, ledger: FoldLedger) -> Array:
    """Return blended logits (rows,): each fold's by a blender that was fitted on the other folds of the same ledger.

    If folds are clusters, neither the members nor the blender have seen a fake of the cluster.
    """
    (blender,) = blenders(settings.model_copy(update={"methods": (method,)}), logits.shape[1])
    problem = Problem(logits, logits.shape[1], ledger.labels, ledger.folds)
    with threads(1):
        return evaluate(blender, problem).nested.astype(np.float64)
