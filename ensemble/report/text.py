"""Titles and tables that all reports share."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table

from ensemble.store.oof import OofStore

BASELINE = "baseline"  # the store of configs/baseline.yaml: what the others must beat
CARD_SECTION = "card"  # the section that is a file of its own too
SYNTHETIC = "synthetic demo data: these scores mean nothing for photographs"


def heading(store: OofStore) -> str:
    """Return what the scores are about, with the warning that demo data needs."""
    facts = store.facts()
    rows = f"{store.name}: {facts['train_rows']} training and {facts['test_rows']} test photographs"
    return f"{rows} ({SYNTHETIC})" if facts["synthetic"] else rows


def print_table(console: Console, title: str, text: pd.DataFrame, narrow: Sequence[str] = ()) -> bool:
    """Print a table of texts, of the `narrow` columns alone where all are too wide; return whether they were."""
    is_narrow = bool(narrow) and sum(text[column].map(len).max() + 2 for column in text.columns) > console.width
    text = text[list(narrow)] if is_narrow else text
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in text.columns:
        table.add_column(str(column), no_wrap=True, overflow="fold")
    for row in text.itertuples(index=False):
        table.add_row(*map(str, row))
    console.print(table)
    return is_narrow
