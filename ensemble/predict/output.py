"""Answers as a file: CSV, one JSON object a line, or parquet; written as they come, and as a whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Final

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location, new_file

STDOUT: Final = "-"
_ROWS: Final = 1024  # of a row group

Row = dict[str, Any]


class Table(ABC):
    """A table that rows are added to.

    Parameters
    ----------
    path : Path
        Where it is written.
    """

    suffix: ClassVar[str]

    @abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abstractmethod
    def add(self, row: Row) -> None:
        """Add a row; all have the same columns."""

    @abstractmethod
    def close(self) -> None:
        """Write what is left."""


class Csv(Table):
    """Comma-separated values, with a header; empty where there is no value. Without a path on the screen."""

    suffix = ".csv"

    def __init__(self, path: Path | None) -> None:
        if path is None and isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not support every character
        self._file = sys.stdout if path is None else path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._started = False

    def add(self, row: Row) -> None:
        """Write a row."""
        if not self._started:
            self._writer.writerow(row)
            self._started = True
        self._writer.writerow(["" if value is None else value for value in row.values()])

    def close(self) -> None:
        """Close the file, unless it was given."""
        self._file.flush()
        if self._file is not sys.stdout:
            self._file.close()


class JsonLines(Table):
    """One JSON object a line."""

    suffix = ".jsonl"

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Write a line."""
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Parquet(Table):
    """Apache Parquet, by pyarrow; few rows are in memory."""

    suffix = ".parquet"

    def __init__(self, path: Path) -> None:
        self._path, self._rows = path, list[Row]()
        self._writer: Any = None

    def add(self, row: Row) -> None:
        """Keep a row, and write a group of them at a time."""
        self._rows.append(row)
        if len(self._rows) == _ROWS:
            self._write()

    def close(self) -> None:
        """Write the last rows."""
        if self._rows or self._writer is None:
            self._write()
        self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        titles = list(self._rows[0]) if self._rows else ["name"]
        schema = pa.schema([(title, _arrow_type(title)) for title in titles])
        self._writer = self._writer or parquet.ParquetWriter(self._path, schema)
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=schema))
        self._rows = []


def _arrow_type(title: str) -> Any:
    import pyarrow as pa

    if title in ("name", "verdict", "reason", "format"):
        return pa.string()
    return pa.int64() if title in ("width", "height") else pa.float64()


TABLES: Final[dict[str, type[Table]]] = {kind.suffix: kind for kind in (Csv, JsonLines, Parquet)}


def check_output(out: str, places: Sequence[str]) -> None:
    """Raise a `UserError` unless answers can be written there, and nothing that is asked about would be overwritten."""
    if out == STDOUT:
        return
    path = location(out)
    if path.suffix.lower() not in TABLES:
        raise UserError(f"-o {out}: name a file that ends in {', '.join(TABLES)}, or - for the screen")
    if path.is_dir():
        raise UserError(f"-o {out} is a folder; name a file in it")
    if isinstance(path, Path) and os.path.realpath(path) in map(os.path.realpath, places):
        raise UserError(f"-o {out} is one of the inputs; name another file")
    if path.suffix.lower() == Parquet.suffix and find_spec("pyarrow") is None:
        raise UserError(f"-o {out}: Parquet needs pyarrow, which is not installed; write .csv or .jsonl")


def write_rows(path: Location | None, rows: Iterable[Row]) -> None:
    """Write rows, as a whole or not at all; without a path on the screen, as they come."""
    if path is None:
        _write(Csv(None), rows)
        return
    with new_file(path) as temporary:
        _write(TABLES[path.suffix.lower()](temporary), rows)


def _write(table: Table, rows: Iterable[Row]) -> None:
    try:
        for row in rows:
            table.add(row)
    finally:
        table.close()
