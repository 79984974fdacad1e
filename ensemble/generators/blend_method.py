"""Which blender stands for the blend of a store on both kinds of folds."""

from __future__ import annotations

from ensemble.oof import OofStore
from ensemble.predictions import Predictions
from ensemble.report.leaderboard import current_manifest

# Those that search with Optuna, and those that are made of several others, would take minutes on each kind of folds.
QUICK = ("mean", "single_best", "greedy", "greedy_log_loss", "bagged_greedy", "nonnegative_logistic")
STANDS_IN = "greedy"  # for the others: it leaves weak members out as they do


def blend_method(store: OofStore, predictions: Predictions) -> str:
    """The blender that the store has chosen if it is quick to fit, else `greedy`; without any blend the plain mean."""
    manifest = current_manifest(store, predictions)
    if manifest is None:
        return "mean"
    chosen = str(manifest["chosen"])
    return chosen if chosen in QUICK else STANDS_IN


def called(method: str) -> str:
    """The blend's name in tables; no member can be called so."""
    return f"blend ({method})"
