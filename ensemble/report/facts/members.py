"""Facts about one member: its folds, its worst errors, its histories, its recipe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from ensemble.core.metrics.scores import correct_probabilities, score
from ensemble.store.predictions import Predictions

_ERRORS_SHOWN = 20
_COST = ("fit", "predict", "threads", "memory")


def histories_of(predictions: Predictions, member: str) -> dict[int, list[dict[str, Any]]]:
    """Return the training histories of a member, by fold."""
    return {record.fold: record.history for record in predictions.records_of(member)}


def fold_table(predictions: Predictions, column: int) -> pd.DataFrame:
    """Return a row for each available fold.

    `fold`, `rows`, `accuracy`, `standard_error`, `auc`, `log_loss`, `fit` and `predict` (seconds), `threads`, `memory`
    (MiB at the peak) and `model` (saved, or why not). Its cost is NaN where it was trained elsewhere.
    """
    ledger, probabilities = predictions.ledger, predictions.probabilities(column)
    rows = []
    for record in predictions.records_of(predictions.members[column]):
        here = ledger.heldout(record.fold)
        scores = score(probabilities[here], ledger.labels[here])
        cost = (record.seconds_fit, record.seconds_predict, record.threads, record.peak_memory_mib)
        rows.append(
            {
                "fold": record.fold,
                "rows": scores.n,
                "accuracy": scores.accuracy,
                "standard_error": scores.standard_error,
                "auc": scores.auc,
                "log_loss": scores.log_loss,
                **dict(zip(_COST, (np.nan,) * len(cost) if record.trained_elsewhere else cost, strict=True)),
                "model": record.model_note or "saved",
            }
        )
    return pd.DataFrame(rows)


def worst_errors(predictions: Predictions, column: int, most: int = _ERRORS_SHOWN) -> NDArray[np.intp]:
    """Return the rows of the ledger that a member gets wrong, the most confident first, `most` of them."""
    probabilities = predictions.probabilities(column)
    wrong = np.flatnonzero(~correct_probabilities(probabilities, predictions.ledger.labels) & ~np.isnan(probabilities))
    order = np.argsort(-np.abs(predictions.oof_logits[wrong, column]), kind="stable")
    worst: NDArray[np.intp] = wrong[order][:most]
    return worst


def recipe_of(predictions: Predictions, member: str) -> dict[str, Any]:
    """Return the recipe that made a member's predictions."""
    return predictions.records_of(member)[0].provenance.recipe


def recipe_text(predictions: Predictions, member: str) -> str:
    """Return the recipe as YAML."""
    return yaml.safe_dump(recipe_of(predictions, member), sort_keys=False, allow_unicode=True).strip()
