"""What people read of it in the terminal: accuracies, and what is to be said of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console

from ensemble.report.text import heading, print_table
from ensemble.store.oof import OofStore


def accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy ± standard error as text: a row for each alteration, a column for each member."""
    cells = [f"{a:.3f} ± {e:.3f}" for a, e in zip(table["accuracy"], table["standard_error"], strict=True)]
    long = table.assign(cell=cells)
    wide = long.pivot_table(index="title", columns="member", values="cell", aggfunc="first")
    wide = wide.reindex(index=pd.unique(long["title"]), columns=pd.unique(long["member"])).fillna("")
    wide.index.name, wide.columns.name = "photographs", None
    return wide.reset_index()


def print_accuracies(console: Console, store: OofStore, table: pd.DataFrame, content: dict[str, Any]) -> None:
    """Accuracies by alteration, and what is to be said of them."""
    sample = content["sample"]
    on = f"{sample['photographs']} of {sample['of']} training photographs"
    print_table(console, f"{heading(store)}; accuracy of {on}", accuracies(table))
    for note in content["notes"]:
        console.print(note, markup=False)
