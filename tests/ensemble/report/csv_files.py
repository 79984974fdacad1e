"""Tables as the page shows them, and as their CSV files would be shown."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Page

from ensemble.report.render.blocks import Column
from ensemble.report.render.formats import format_cell

_READ = """tables => tables.map((table) => ({
    id: table.id.replace('table-', ''),
    columns: [...table.querySelectorAll('thead th')].map(
        (head) => [head.dataset.key, head.className, head.dataset.error]),
    rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map(
        (cell) => cell.querySelector('svg')?.getAttribute('aria-label') ?? cell.textContent)),
}))"""

Shown = tuple[list[Column], list[list[str]]]


def tables_of_page(page: Page) -> dict[str, Shown]:
    """Columns and cells of every table, those in closed parts too."""
    found = page.locator("main table").evaluate_all(_READ)
    return {
        table["id"]: ([Column(key, "", kind, error or "") for key, kind, error in table["columns"]], table["rows"])
        for table in found
    }


def shown_of_csv(path: Path, columns: list[Column]) -> list[list[str]]:
    """The cells that the page must show for this file. Only what is no text is read as numbers."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows = [{str(key): text for key, text in row.items()} for row in frame.to_dict("records")]
    return [[format_cell(_typed(row, column), column) for column in columns] for row in rows]


def _typed(row: dict[str, str], column: Column) -> dict[str, Any]:
    """The cell's value and its error, as the section had them."""
    return {key: _value(row[key], column.kind) for key in (column.key, column.error) if key}


def _value(text: str, kind: str) -> Any:
    if kind == "text" or not text:
        return text[1:] if re.match("'[=+@\\t\\r-]", text) else text  # what no spreadsheet shall run
    if text.startswith(("[", "(")):
        return ast.literal_eval(text)
    try:
        return float(text)
    except ValueError:
        return text
