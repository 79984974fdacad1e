"""Tables as people hand them out: a CSV in UTF-8 or UTF-16, with commas, semicolons or tabs, read as text."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from ensemble.competition.kinds import is_picture, mistaken_for
from ensemble.competition.matching import key_of
from ensemble.core.arrays import Array
from ensemble.core.errors import UserError

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEPARATORS = (",", ";", "\t")
_MOST_CELLS = 10**8
_LOOKED_AT = 100  # rows from which the separator is recognised
_SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?\r?\n?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes
    ----------
    file : str
        Its name, for messages.
    columns : DataFrame
        Cells as text without surrounding blanks, by title; the index is the line in the file.
    header : bool
        Whether its first line has titles; otherwise they are `column 1`, `column 2`.
    untitled : frozenset of str
        Titles that stand for empty ones in the file.
    decimal_comma : bool
        Whether numbers may be written as 0,5.
    """

    file: str
    columns: pd.DataFrame
    header: bool
    untitled: frozenset[str]
    decimal_comma: bool

    @property
    def titles(self) -> list[str]:
        """Titles of the columns."""
        return list(self.columns.columns)

    def line(self, row: int) -> str:
        """Name a row by its line in the file, for messages."""
        return f"{self.file} line {self.columns.index[row]}"

    def numbers(self, title: str) -> Array:
        """Read a column as float64; NaN where a cell is no number."""
        cells = self.columns[title]
        if self.decimal_comma:
            cells = cells.where(~cells.str.fullmatch(_DECIMAL_COMMA), cells.str.replace(",", "."))
        return pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)


def read_table(content: bytes, file: str, names: Iterable[str] = ()) -> Table:
    """Read a table of text. Empty rows, and columns without a title and without a value, are none.

    Parameters
    ----------
    content : bytes
        The file.
    file : str
        Its name, for messages.
    names : iterable of str
        Names of photographs: a first line that has one of them is a row, and no header.

    Raises
    ------
    UserError
        It is no table, or in an encoding that cannot be recognised.
    """
    text = _decode(content, file)
    names = list(names)
    separator, text, skipped = _separator(text, names)
    lines, cells = [], []
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                lines.append(reader.line_num + skipped)
                cells.append([cell.strip() for cell in row])
    except csv.Error:
        raise UserError(
            f"{file} line {reader.line_num + skipped} cannot be read as a row; is a quote left open?"
        ) from None
    if not cells:
        raise UserError(f"{file} contains no rows")
    header = not _is_row(cells, names)
    titles, untitled = _titles(cells, header, file, lines)
    rows = cells[1:] if header else cells
    kept = [column for column, title in enumerate(titles) if title is not None]
    if len(kept) * len(rows) > _MOST_CELLS:
        raise UserError(f"{file} has {len(rows):,} rows of {len(kept):,} cells, too many for a table of photographs")
    table = pd.DataFrame(
        [[row[column] if column < len(row) else "" for column in kept] for row in rows],
        columns=[title for title in titles if title is not None],
        index=lines[1:] if header else lines,
        dtype=str,
    )
    return Table(file, table, header, untitled, decimal_comma=separator in ";\t")


def table_of_frame(frame: pd.DataFrame, file: str) -> Table:
    """Return a DataFrame as a table of text, with its index as a column unless that only counts the rows."""
    if not isinstance(frame.index, pd.RangeIndex):
        names = [name for name in frame.index.names if name is not None]
        if both := [str(name) for name in names if name in frame]:
            raise UserError(f"{file} has an index and a column that are both called {both[0]!r}; rename one")
        frame = frame.reset_index(drop=not names and "index" in frame)
    frame = frame.set_axis([str(title).strip() for title in frame.columns], axis=1)
    if frame.columns.duplicated().any():
        raise UserError(
            f"{file} has several columns called {frame.columns[frame.columns.duplicated()][0]!r}; rename all but one"
        )
    columns = pd.DataFrame({title: _as_text(frame[title]) for title in frame.columns}, index=range(1, len(frame) + 1))
    return Table(file, columns, header=True, untitled=frozenset(), decimal_comma=False)


def _as_text(column: pd.Series[Any]) -> list[str]:
    """Format values so that reading them gives the same numbers; missing ones are empty."""
    values = column.astype("float64") if pd.api.types.is_float_dtype(column) else column
    return ["" if missing else str(value).strip() for value, missing in zip(values, column.isna(), strict=True)]


def _decode(content: bytes, file: str) -> str:
    if what := mistaken_for(content):
        raise UserError(f"{file} is {what}")
    encoding = next((name for bom, name in _BOMS.items() if content.startswith(bom)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{file} line {line} is not in UTF-8; save the table as UTF-8 (in Excel: CSV UTF-8)") from None
    if "\0" in text:
        raise UserError(f"{file} is not a text file; save the table as CSV in UTF-8")
    return text


def _separator(text: str, names: Sequence[str]) -> tuple[str, str, int]:
    """Return the separator of the columns, the text, and the number of lines taken off, such as Excel's `sep=;`."""
    stated = _SEPARATOR_LINE.match(text)
    if stated:
        return stated[1], text[stated.end() :], 1
    ratings = {separator: _regularity(text, separator) for separator in _SEPARATORS}
    best = max(_SEPARATORS, key=ratings.__getitem__)
    lines = {line.strip().strip('"') for line in islice(StringIO(text), _LOOKED_AT)}
    names_alone = not lines.isdisjoint(names)  # which may have blanks
    blank = " " if not names_alone and _regularity(text, " ")[0] == 1 else ","  # as R writes tables
    return best if ratings[best][0] else blank, text, 0


def _regularity(text: str, separator: str) -> tuple[float, bool, int]:
    """Rate a separator: rows that have the usual number of cells, whether the header has it too, that number."""
    try:
        reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
        widths = [len(row) for row in islice((row for row in reader if row), _LOOKED_AT)]
    except csv.Error:
        return 0.0, False, 0
    usual, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
    if usual < 2 or widths[0] < usual - 1:  # a table of one column has no separator
        return 0.0, False, 0
    return count / len(widths), widths[0] == usual, usual


def _is_row(cells: list[list[str]], names: Iterable[str]) -> bool:
    """Return whether the first line names a photograph, as those below do, but none of theirs: then it is no header."""
    known = {key_of(name) for name in names}
    if known and any(map(is_picture, cells[0])):
        return True
    for column, cell in enumerate(cells[0]):
        if key_of(cell) in known:
            below = [row[column] for row in cells[1:] if column < len(row)]
            repeated = cell in below or ("/" not in cell and key_of(cell) in map(key_of, below))
            if not repeated and 2 * sum(key_of(other) in known for other in below) >= len(below):
                return True
    return False


def _titles(
    cells: list[list[str]], header: bool, file: str, lines: list[int]
) -> tuple[list[str | None], frozenset[str]]:
    """Return the titles of all columns, None for one to leave out, and those that stand for empty ones."""
    width = max(map(len, cells))
    first = cells[0] if header else [""] * width
    if (
        header
        and len(first) == width - 1
        and all(len(row) == width and row[0] for row in cells[1:])
        and _has_last(cells)
    ):
        first = ["", *first]  # R writes the names of rows without a title
    filled = {column for row in cells[header:] for column, cell in enumerate(row) if cell}
    titles: list[str | None] = []
    untitled = set()
    for column in range(width):
        title: str | None = first[column] if column < len(first) else ""
        if not title:
            title = f"column {column + 1}" if column in filled or not header else None
            if title and column >= len(first):
                longest = next(index for index, row in enumerate(cells) if len(row) > column and row[column])
                raise UserError(f"{file} line {lines[longest]} has more cells than the header has columns")
            untitled |= {title} if title else set()
        titles.append(title)
    repeated = [title for title, count in Counter(filter(None, titles)).items() if count > 1]
    if repeated:
        raise UserError(f"{file} has several columns called {repeated[0]!r}; rename all but one")
    return titles, frozenset(untitled)


def _has_last(cells: list[list[str]]) -> bool:
    """Return whether a row has a value in its last cell: a separator at the end of each row makes no column."""
    return any(row[-1] for row in cells[1:])
