"""Writing and printing what the store has to tell: leaderboard (terminal, CSV, Markdown) and a page for each member."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from ensemble.competition.dataset import Competition
from ensemble.config import Experiment
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_file, write_text
from ensemble.report.curves import CURVES, is_drawn, learning_curves, panel_titles
from ensemble.report.exhibits.bring import bring_photographs
from ensemble.report.facts.histories import Histories
from ensemble.report.facts.leaderboard import leaderboard
from ensemble.report.facts.material import Material
from ensemble.report.facts.members import histories_of
from ensemble.report.member_page import is_written, member_page
from ensemble.report.text import heading, markdown_table
from ensemble.report.write import PAGE, write_report
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.results import current_manifest


def publish(
    store: OofStore,
    console: Console,
    experiment: Experiment | None = None,
    predictions: Predictions | None = None,
    competition: Competition | None = None,
) -> bool:
    """Write the leaderboard, each member's report and curves, and the whole report; print the leaderboard.

    `predictions` are those of the experiment, and `competition` holds the photographs, if they are at hand. Returns
    whether there was anything to tell.
    """
    try:
        predictions = predictions or load_predictions(store, experiment)
    except UserError as error:
        console.print(f"no leaderboard yet: {error}", markup=False)
        return False
    board, title = write_leaderboard(store, predictions), heading(store)
    for column, member in enumerate(predictions.members):
        folder = store.member_folder(member)
        _write_curves(folder / CURVES, histories_of(predictions, member))
        if not is_written(folder / "report.md", title, predictions, column):
            scores = board[board["member"] == member].iloc[0]
            write_text(folder / "report.md", member_page(title, predictions, column, scores))
    _print(store, predictions, board, console)
    material = Material.of(store, experiment or store.experiment(), predictions)
    if missing := bring_photographs(material, competition):
        console.print(missing, markup=False)
    write_report(material)
    console.print(f"report: {store.root / PAGE}", markup=False)
    return True


def write_leaderboard(store: OofStore, predictions: Predictions) -> pd.DataFrame:
    """Write `leaderboard.csv` and `leaderboard.md`."""
    board = leaderboard(store, predictions)
    with new_file(store.root / "leaderboard.csv") as temporary:
        board.to_csv(temporary, index=False)
    write_text(store.root / "leaderboard.md", _markdown(store, predictions, board))
    return board


def _write_curves(path: Location, histories: Histories) -> None:
    """Leave the picture of these histories at `path`, or nothing when they hold nothing to draw."""
    if not panel_titles(histories):
        path.unlink(missing_ok=True)
    elif not is_drawn(path, histories):
        write_text(path, learning_curves(histories))


def shown(board: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard as text, with the digits that its standard errors justify."""
    return pd.DataFrame(
        {
            "member": board["member"],
            "measured on": board["measured_on"],
            "accuracy ± SE": [
                f"{a:.4f} ± {e:.4f}" for a, e in zip(board["accuracy"], board["standard_error"], strict=True)
            ],
            "folds": [
                f"{low:.4f} to {high:.4f}" for low, high in zip(board["fold_min"], board["fold_max"], strict=True)
            ],
            **{name: board[column].map("{:.4f}".format) for name, column in _FOUR_DIGITS.items()},
            "weight": ["" if np.isnan(weight) else f"{weight:.2f}" for weight in board["weight"]],
            "seconds": ["" if np.isnan(s) else f"{s:.1f}" if s < 10 else f"{s:.0f}" for s in board["seconds"]],
            "photos/s": ["" if np.isnan(rate) else f"{rate:.1f}" for rate in board["photographs_per_second"]],
        }
    )


_NARROW = ["member", "accuracy ± SE", "AUC"]
_FOUR_DIGITS = {"log loss": "log_loss", "AUC": "auc", "ECE": "ece"}


def _print(store: OofStore, predictions: Predictions, board: pd.DataFrame, console: Console) -> None:
    text = shown(board)
    narrow = sum(text[column].map(len).max() + 2 for column in text.columns) > console.width
    table = Table(title=heading(store), title_justify="left", box=None, pad_edge=False)
    for column in _NARROW if narrow else text.columns:
        table.add_column(column, no_wrap=True, overflow="fold")
    for row in text[[str(column.header) for column in table.columns]].itertuples(index=False):
        table.add_row(*row)
    console.print(table)
    notes = [f"all columns: {store.root / 'leaderboard.md'}"] if narrow else []
    for line in notes + _notes(store, predictions):
        console.print(line, markup=False)


def _notes(store: OofStore, predictions: Predictions) -> list[str]:
    return [
        *(f"left out: {name}, {reason}" for name, reason in predictions.left_out.items()),
        *(f"not complete: {name}, {reason}" for name, reason in predictions.partial.items()),
        *(note for name in store.imported() for note in _of_imported(name, store.origin(name))),
    ]


def _of_imported(name: str, origin: dict[str, Any]) -> list[str]:
    """That a member was trained elsewhere, how its folds are known, and what smelt of a leak."""
    folds = f"trained elsewhere: {name}, folds {origin.get('folds', 'not known')}"
    return [folds, *(f"WARNING of {name}: {smell}" for smell in origin.get("smells", []))]


def _markdown(store: OofStore, predictions: Predictions, board: pd.DataFrame) -> str:
    parts = [f"# Leaderboard of {heading(store)}", markdown_table(shown(board)), *_notes(store, predictions)]
    if current_manifest(store, predictions):
        parts.append("How the blend was made, and what each member is worth: [blend/report.md](blend/report.md)")
    return "\n\n".join(parts) + "\n"
