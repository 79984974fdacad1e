"""A member's own page: its scores fold by fold, its worst errors, how it trained, what it cost and what made it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ensemble.files import Location
from ensemble.metrics import is_right, score
from ensemble.oof import FoldRecord
from ensemble.predictions import Predictions
from ensemble.provenance import digest, file_sha256
from ensemble.report.curves import CURVES, Histories, panel_titles
from ensemble.report.text import markdown_table

_ERRORS_SHOWN = 20


def is_written(path: Location, title: str, predictions: Predictions, column: int) -> bool:
    """Whether a report tells of these very predictions, written by this code."""
    try:
        return _identifier(title, predictions, column) in path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def member_page(title: str, predictions: Predictions, column: int, scores: pd.Series[Any]) -> str:
    """The Markdown text of one member's report; `title` says what is predicted, `scores` are its leaderboard row."""
    member = predictions.members[column]
    return (
        "\n\n".join(
            [
                f"# {member}",
                f"Measured out-of-fold on {title}.",
                f"Accuracy at 0.5: **{scores['accuracy']:.4f} ± {scores['standard_error']:.4f}** (standard error), "
                f"log loss {scores['log_loss']:.4f}, AUC {scores['auc']:.4f}, ECE {scores['ece']:.4f}.",
                "## Folds",
                markdown_table(_folds(predictions, column)),
                "## Most confident errors",
                markdown_table(_errors(predictions, column)) if scores["accuracy"] < 1 else "None.",
                *_training(histories_of(predictions, member)),
                "## Recipe",
                f"```yaml\n{_recipe(predictions, member)}\n```",
                _identifier(title, predictions, column),
            ]
        )
        + "\n"
    )


def _identifier(title: str, predictions: Predictions, column: int) -> str:
    """A comment that readers of the page do not see."""
    records = [asdict(record) for record in records_of(predictions, predictions.members[column])]
    code = file_sha256(Path(__file__))
    return f"<!-- {digest([title, predictions.ledger.sha256, records, code])} -->"


def _folds(predictions: Predictions, column: int) -> pd.DataFrame:
    ledger, probabilities = predictions.ledger, predictions.probabilities(column)
    rows = []
    for record in records_of(predictions, predictions.members[column]):
        here = ledger.heldout(record.fold)
        scores = score(probabilities[here], ledger.labels[here])
        rows.append(
            {
                "fold": record.fold,
                "rows": scores.n,
                "accuracy": f"{scores.accuracy:.4f}",
                "log loss": f"{scores.log_loss:.4f}",
                "AUC": f"{scores.auc:.4f}",
                **_cost(record),
                "model": record.model_note or "saved",
            }
        )
    return pd.DataFrame(rows)


def _cost(record: FoldRecord) -> dict[str, str]:
    """What a fold took; blank for one that was trained elsewhere."""
    cost = {
        "fit, s": f"{record.seconds_fit:.1f}",
        "predict, s": f"{record.seconds_predict:.1f}",
        "threads": str(record.threads),
        "peak MiB": f"{record.peak_memory_mib:.0f}",
    }
    return dict.fromkeys(cost, "") if record.trained_elsewhere else cost


def _errors(predictions: Predictions, column: int) -> pd.DataFrame:
    table = predictions.ledger.table
    probabilities = predictions.probabilities(column)
    wrong = np.flatnonzero(~is_right(probabilities, predictions.ledger.labels) & ~np.isnan(probabilities))
    worst = wrong[np.argsort(-np.abs(predictions.oof_logits[wrong, column]), kind="stable")][:_ERRORS_SHOWN]
    return pd.DataFrame(
        {
            "photograph": table["name"].iloc[worst],
            "label": table["label"].iloc[worst].map({0: "real", 1: "fake"}),
            "probability of fake": [f"{p:.4f}" for p in probabilities[worst]],
            "fold": table["fold"].iloc[worst],
        }
    )


def histories_of(predictions: Predictions, member: str) -> dict[int, list[dict[str, Any]]]:
    """What the member's folds tell of their training, by fold."""
    return {record.fold: record.history for record in records_of(predictions, member)}


def records_of(predictions: Predictions, member: str) -> list[FoldRecord]:
    """The records of the folds that are there."""
    records = (predictions.record(member, fold) for fold in range(predictions.ledger.n_folds))
    return [record for record in records if record is not None]


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


def _recipe(predictions: Predictions, member: str) -> str:
    """What made the predictions, as the fold itself says."""
    return yaml.safe_dump(records_of(predictions, member)[0].provenance.recipe, sort_keys=False).strip()
