"""Markdown tables. Cells are escaped: names of photographs may contain anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd


def markdown_table(table: pd.DataFrame) -> str:
    """Format a table as Markdown, with its cells escaped."""
    return markdown_rows([str(title) for title in table.columns], table.itertuples(index=False))


def markdown_rows(titles: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Format rows as a Markdown table; None is an empty cell."""
    lines: list[Iterable[object]] = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    """Format a cell on one line, with pipes, links and HTML escaped."""
    text = "" if value is None else " ".join(str(value).splitlines())
    return without_html(re.sub(r"([\\|\[\]`])", r"\\\1", text))


def without_html(text: str) -> str:
    """Escape HTML tags; a lone < stays as it is."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
