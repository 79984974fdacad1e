"""The words and tables that all reports share."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd
from rich.console import Console
from rich.table import Table

from ensemble.oof import OofStore

SYNTHETIC = "synthetic demo data: these scores say nothing about real photographs"


def heading(store: OofStore) -> str:
    """What the scores are about, with the warning that demo data needs."""
    facts = store.facts()
    rows = f"{store.name}: {facts['train_rows']} training and {facts['test_rows']} test photographs"
    return f"{rows} ({SYNTHETIC})" if facts["synthetic"] else rows


def print_table(console: Console, title: str, text: pd.DataFrame) -> None:
    """A table of texts in the terminal."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in text.columns:
        table.add_column(str(column), no_wrap=True, overflow="fold")
    for row in text.itertuples(index=False):
        table.add_row(*map(str, row))
    console.print(table)


def markdown_table(table: pd.DataFrame) -> str:
    """A table of texts in Markdown; what a cell says is text, whatever it looks like."""
    lines: list[Iterable[object]] = [table.columns, ["---"] * len(table.columns), *table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(_cell(str(cell)) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """On one line, with pipes that part no columns, and names of photographs that make no links and no HTML."""
    return without_html(re.sub(r"([\\|\[\]`])", r"\\\1", " ".join(text.splitlines())))


def without_html(text: str) -> str:
    """Text in which no tag begins; a lone < stays as it is."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
