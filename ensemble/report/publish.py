"""Writing and printing what a store holds: the leaderboard, a page for each member, and the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.core.console.markdown import markdown_table
from ensemble.core.storage.files import new_file, write_text
from ensemble.report.exhibits.stored import store_photographs
from ensemble.report.facts.material import Material
from ensemble.report.member_page import member_page
from ensemble.report.signature import is_signed, member_signature
from ensemble.report.text import heading, print_table
from ensemble.report.write import PAGE, write_report
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions, load_predictions


def publish(
    store: OofStore,
    console: Console,
    experiment: Experiment | None = None,
    predictions: Predictions | None = None,
    competition: Competition | None = None,
) -> None:
    """Write the leaderboard, the members' pages and the report; print the leaderboard.

    `predictions` are those of the experiment, and `competition` holds the photographs, if they are available.

    Raises
    ------
    UserError
        The store has no predictions yet.
    """
    predictions = predictions or load_predictions(store, experiment)
    material = Material.of(store, experiment or store.experiment(), predictions)
    write_leaderboard(material)
    _write_member_pages(material)
    _print(material, console)
    if missing := store_photographs(material, competition):
        console.print(missing, markup=False)
    write_report(material)
    console.print(f"report: {store.root / PAGE}", markup=False)


def update_report(store: OofStore, experiment: Experiment, log: Callable[[str], None]) -> None:
    """Write the report again after new results, and log its path; a failure is logged, since the results are stored."""
    try:
        write_report(Material.of(store, experiment, load_predictions(store, experiment)))
    except Exception as error:
        log(f"the report could not be written ({type(error).__name__}: {error}); run ensemble report")
    else:
        log(f"report: {store.root / PAGE}")


def write_leaderboard(material: Material) -> None:
    """Write `leaderboard.csv` and `leaderboard.md`."""
    root = material.store.root
    with new_file(root / "leaderboard.csv") as temporary:
        material.board.to_csv(temporary, index=False)
    write_text(root / "leaderboard.md", _markdown(material))


def _write_member_pages(material: Material) -> None:
    for column, member in enumerate(material.predictions.members):
        path, signature = material.store.member_folder(member) / "report.md", member_signature(material, column)
        if not is_signed(path, signature):
            write_text(path, member_page(material, column, signature))


def _as_text(board: pd.DataFrame) -> pd.DataFrame:
    """Return the leaderboard as text, with the digits that its standard errors justify."""
    return pd.DataFrame(
        {
            "member": board["member"],
            "measured on": board["measured_on"],
            "accuracy ± SE": [
                f"{a:.4f} ± {e:.4f}" for a, e in zip(board["accuracy"], board["standard_error"], strict=True)
            ],
            "folds": [
                "" if np.isnan(low) else f"{low:.4f} to {high:.4f}"
                for low, high in zip(board["fold_min"], board["fold_max"], strict=True)
            ],
            **{name: board[column].map("{:.4f}".format) for name, column in _FOUR_DIGITS.items()},
            "weight": ["" if np.isnan(weight) else f"{weight:.2f}" for weight in board["weight"]],
            "seconds": ["" if np.isnan(s) else f"{s:.1f}" if s < 10 else f"{s:.0f}" for s in board["seconds"]],
            "photos/s": ["" if np.isnan(rate) else f"{rate:.1f}" for rate in board["photographs_per_second"]],
        }
    )


_NARROW = ["member", "accuracy ± SE", "AUC"]
_FOUR_DIGITS = {"log loss": "log_loss", "AUC": "auc", "ECE": "ece"}


def _print(material: Material, console: Console) -> None:
    store, text = material.store, _as_text(material.board)
    is_narrow = print_table(console, heading(store), text, _NARROW)
    notes = [f"all columns: {store.root / 'leaderboard.md'}"] if is_narrow else []
    for line in notes + _notes(material):
        console.print(line, markup=False)


def _notes(material: Material) -> list[str]:
    store, predictions = material.store, material.predictions
    return [
        *(f"left out: {name}, {reason}" for name, reason in predictions.left_out.items()),
        *(f"not complete: {name}, {reason}" for name, reason in predictions.partial.items()),
        *(_of_imported(name, store.origin(name)) for name in store.imported()),
        *(f"WARNING: {doubt}" for doubt in material.doubts),
    ]


def _of_imported(name: str, origin: dict[str, Any]) -> str:
    """Say that a member was trained elsewhere, and how its folds are known."""
    return f"trained elsewhere: {name}, folds {origin.get('folds', 'not known')}"


def _markdown(material: Material) -> str:
    board = markdown_table(_as_text(material.board))
    parts = [f"# Leaderboard of {heading(material.store)}", board, *_notes(material)]
    if material.manifest:
        parts.append("How the blend was made, and what each member is worth: [blend/report.md](blend/report.md)")
    return "\n\n".join(parts) + "\n"
