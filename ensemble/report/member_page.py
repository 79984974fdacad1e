"""A member's own page: its scores fold by fold, its worst errors, how it trained, what it cost and what made it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from ensemble.core.storage.files import Location
from ensemble.core.storage.hashing import digest
from ensemble.engine.recipes.code import framework_code
from ensemble.report.curves import CURVES, panel_titles
from ensemble.report.facts.histories import Histories
from ensemble.report.facts.members import (
    NAMES_OF_CLASSES,
    fold_table,
    histories_of,
    recipe_text,
    records_of,
    worst_errors,
)
from ensemble.report.text import markdown_table
from ensemble.store.predictions import Predictions


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
                f"```yaml\n{recipe_text(predictions, member)}\n```",
                _identifier(title, predictions, column),
            ]
        )
        + "\n"
    )


def _identifier(title: str, predictions: Predictions, column: int) -> str:
    """A comment that readers of the page do not see."""
    records = [asdict(record) for record in records_of(predictions, predictions.members[column])]
    return f"<!-- {digest([title, predictions.ledger.sha256, records, framework_code()])} -->"


_FOLDS = {  # title: column of `fold_table` and its digits
    "fold": ("fold", ""),
    "rows": ("rows", ""),
    "accuracy": ("accuracy", ".4f"),
    "log loss": ("log_loss", ".4f"),
    "AUC": ("auc", ".4f"),
    "fit, s": ("fit", ".1f"),
    "predict, s": ("predict", ".1f"),
    "threads": ("threads", ".0f"),
    "peak MiB": ("memory", ".0f"),
    "model": ("model", ""),
}


def _folds(predictions: Predictions, column: int) -> pd.DataFrame:
    """The folds as text; blank for what one that was trained elsewhere does not tell."""
    table = fold_table(predictions, column)
    return pd.DataFrame(
        {title: ["" if v != v else f"{v:{form}}" for v in table[name]] for title, (name, form) in _FOLDS.items()}
    )


def _errors(predictions: Predictions, column: int) -> pd.DataFrame:
    table = predictions.ledger.table
    probabilities = predictions.probabilities(column)
    worst = worst_errors(predictions, column)
    return pd.DataFrame(
        {
            "photograph": table["name"].iloc[worst],
            "label": table["label"].iloc[worst].map(NAMES_OF_CLASSES),
            "probability of fake": [f"{p:.4f}" for p in probabilities[worst]],
            "fold": table["fold"].iloc[worst],
        }
    )


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
