"""Tables in Markdown, whatever their cells look like: names of photographs are anybody's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd


def markdown_table(table: pd.DataFrame) -> str:
    """A table of texts in Markdown; what a cell says is text, whatever it looks like."""
    return markdown_rows([str(title) for title in table.columns], table.itertuples(index=False))


def markdown_rows(titles: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """The same, of plain rows; None is an empty cell."""
    lines: list[Iterable[object]] = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    """On one line, with pipes that part no columns, and names of photographs that make no links and no HTML."""
    text = "" if value is None else " ".join(str(value).splitlines())
    return without_html(re.sub(r"([\\|\[\]`])", r"\\\1", text))


def without_html(text: str) -> str:
    """Text in which no tag begins; a lone < stays as it is."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
