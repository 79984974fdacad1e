"""Which blender stands for the blend of a store on both kinds of folds."""

from __future__ import annotations

from ensemble.store.results import BLEND, Manifest

# Those that search with Optuna, and those that are made of several others, would take minutes on each kind of folds.
QUICK = ("mean", "single_best", "greedy", "greedy_log_loss", "bagged_greedy", "nonnegative_logistic")
STANDS_IN = "greedy"  # for the others: it leaves weak members out as they do


def blend_method(manifest: Manifest | None) -> str:
    """The blender that the store has chosen if it is quick to fit, else `greedy`; without any blend the plain mean."""
    if manifest is None:
        return "mean"
    chosen = str(manifest["chosen"])
    return chosen if chosen in QUICK else STANDS_IN


def called(method: str) -> str:
    """The blend's name in tables; no member can be called so."""
    return f"{BLEND} ({method})"
