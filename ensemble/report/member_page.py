"""A member's own page: its scores fold by fold, its worst errors, how it trained, what it cost and what made it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import yaml

from ensemble.metrics import is_right, score
from ensemble.oof import OofStore
from ensemble.predictions import Predictions
from ensemble.report.curves import CURVES, Histories, panel_titles
from ensemble.report.text import heading, markdown_table

_ERRORS_SHOWN = 20


def member_page(store: OofStore, predictions: Predictions, column: int) -> str:
    """The Markdown text of one member's report."""
    member = predictions.members[column]
    scores = score(predictions.probabilities[:, column], predictions.ledger.labels)
    return (
        "\n\n".join(
            [
                f"# {member}",
                f"Measured out-of-fold on {heading(store)}.",
                f"Accuracy at 0.5: **{scores.accuracy:.4f} ± {scores.standard_error:.4f}** (standard error), "
                f"log loss {scores.log_loss:.4f}, AUC {scores.auc:.4f}, ECE {scores.ece:.4f}.",
                "## Folds",
                markdown_table(_folds(store, predictions, column)),
                "## Most confident errors",
                markdown_table(_errors(predictions, column)) if scores.accuracy < 1 else "None.",
                *_training(histories_of(store, member, predictions.ledger.n_folds)),
                "## Recipe",
                f"```yaml\n{_recipe(store, member)}\n```",
            ]
        )
        + "\n"
    )


def _folds(store: OofStore, predictions: Predictions, column: int) -> pd.DataFrame:
    member, ledger = predictions.members[column], predictions.ledger
    rows = []
    for fold in range(ledger.n_folds):
        here = ledger.heldout(fold)
        scores = score(predictions.probabilities[here, column], ledger.labels[here])
        record = store.record(member, fold)
        if record is None:
            continue
        rows.append(
            {
                "fold": fold,
                "rows": scores.n,
                "accuracy": f"{scores.accuracy:.4f}",
                "log loss": f"{scores.log_loss:.4f}",
                "AUC": f"{scores.auc:.4f}",
                "fit, s": f"{record.seconds_fit:.1f}",
                "predict, s": f"{record.seconds_predict:.1f}",
                "threads": record.threads,
                "peak MiB": f"{record.peak_memory_mib:.0f}",
                "model": record.model_note or "saved",
            }
        )
    return pd.DataFrame(rows)


def _errors(predictions: Predictions, column: int) -> pd.DataFrame:
    table = predictions.ledger.table
    probabilities = predictions.probabilities[:, column]
    wrong = np.flatnonzero(~is_right(probabilities, predictions.ledger.labels))
    worst = wrong[np.argsort(-np.abs(predictions.oof_logits[wrong, column]), kind="stable")][:_ERRORS_SHOWN]
    return pd.DataFrame(
        {
            "photograph": table["name"].iloc[worst],
            "label": table["label"].iloc[worst].map({0: "real", 1: "fake"}),
            "probability of fake": [f"{p:.4f}" for p in probabilities[worst]],
            "fold": table["fold"].iloc[worst],
        }
    )


def histories_of(store: OofStore, member: str, n_folds: int) -> dict[int, list[dict[str, Any]]]:
    """What the member's folds tell of their training, by fold."""
    records = (store.record(member, fold) for fold in range(n_folds))
    return {record.fold: record.history for record in records if record is not None}


def _training(histories: Histories) -> list[str]:
    """The learning curves of all folds and the numbers of the first, for members that keep a history."""
    parts = [*_curves(panel_titles(histories)), *_first_fold(histories.get(0, []))]
    return ["## Training", *parts] if parts else []


def _curves(titles: list[str]) -> list[str]:
    if not titles:
        return []
    return [
        f"![Learning curves, epoch by epoch, a line for each network of each fold: {', '.join(titles)}]({CURVES})",
        "As the member tells it: loss and accuracy are measured on training batches as they were seen, in training "
        "mode; they are no out-of-fold scores. Where lines coincide, only the last fold's is seen.",
    ]


def _first_fold(history: list[dict[str, Any]]) -> list[str]:
    if not history:
        return []
    text = pd.DataFrame(history).map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value))
    return ["### Training of fold 0", markdown_table(text)]


def _recipe(store: OofStore, member: str) -> str:
    """What made the predictions, as the fold itself says."""
    record = store.record(member, 0)
    return "" if record is None else yaml.safe_dump(record.provenance.recipe, sort_keys=False).strip()
