"""A member's own page: its scores fold by fold, its worst errors, how it trained, what it cost and what made it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.core.console.markdown import markdown_table
from ensemble.core.metrics.scores import CLASSES
from ensemble.report.facts.material import Material
from ensemble.report.facts.members import fold_table, histories_of, recipe_text, worst_errors
from ensemble.report.text import heading
from ensemble.store.predictions import Predictions


def member_page(material: Material, column: int, signature: str) -> str:
    """Return the Markdown page of one member; `signature` identifies what it was made from."""
    predictions, member = material.predictions, material.predictions.members[column]
    scores = material.scores_of(member)
    parts = [
        f"# {member}",
        f"<!-- {signature} -->",
        f"Measured out-of-fold on {heading(material.store)}.",
        f"Accuracy at 0.5: **{scores['accuracy']:.4f} ± {scores['standard_error']:.4f}** (standard error), "
        f"log loss {scores['log_loss']:.4f}, AUC {scores['auc']:.4f}, ECE {scores['ece']:.4f}.",
        "## Folds",
        markdown_table(_folds(predictions, column)),
        "## Most confident errors",
        markdown_table(_errors(predictions, column)) if scores["accuracy"] < 1 else "None.",
        *_training(histories_of(predictions, member).get(0, [])),
        "## Recipe",
        f"```yaml\n{recipe_text(predictions, member)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


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
    """Return the folds as text; blank for what is not known of one that was trained elsewhere."""
    table = fold_table(predictions, column)
    return pd.DataFrame(
        {title: ["" if v != v else f"{v:{form}}" for v in table[name]] for title, (name, form) in _FOLDS.items()}
    )


def _errors(predictions: Predictions, column: int) -> pd.DataFrame:
    worst = worst_errors(predictions, column)
    table = predictions.ledger.table.iloc[worst]
    return pd.DataFrame(
        {
            "photograph": table["name"],
            "label": [CLASSES[label] for label in table["label"]],
            "probability of fake": [f"{p:.4f}" for p in predictions.probabilities(column)[worst]],
            "fold": table["fold"],
        }
    )


def _training(history: list[dict[str, Any]]) -> list[str]:
    """Return the training history of fold 0, for members that record one."""
    if not history:
        return []
    text = pd.DataFrame(history).map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value))
    return ["## Training of fold 0", markdown_table(text)]
