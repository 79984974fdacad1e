"""Rows that an interrupted prediction has answered already: the same command goes on after them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

from ensemble.core.storage.hashing import digest
from ensemble.core.storage.json_file import parse_json
from ensemble.predict.output import Row

_EVERY = 16  # rows: what a kill can cost


class UnfinishedRows:
    """A file of JSON lines beside the output: what the rows were made from, then the rows in order.

    Parameters
    ----------
    out : Path
        The output, which the finished rows are written to at last.
    made_from : list
        What the rows depend on, as JSON values; rows of anything else are not gone on with.
    """

    def __init__(self, out: Path, made_from: Sequence[Any]) -> None:
        self.path = out.with_name(f".{out.name}.unfinished")
        self._signature = json.dumps(digest(list(made_from))).encode() + b"\n"

    @property
    def is_of_others(self) -> bool:
        """Whether the file that is there is of other photographs or of another bundle; it will be begun again."""
        try:
            with self.path.open("rb") as file:
                return file.readline() != self._signature
        except FileNotFoundError:
            return False

    def add_all(self, rows: Iterator[Row]) -> None:
        """Add rows as they come, after those that are there."""
        with self._opened() as file:
            for number, row in enumerate(rows, 1):
                file.write(json.dumps(row).encode() + b"\n")
                if number % _EVERY == 0:
                    file.flush()

    def rows(self) -> Iterator[Row]:
        """Yield the rows, as far as they are whole."""
        return (row for _, row in self._whole())

    def remove(self) -> None:
        """Remove the file, once the output is written."""
        self.path.unlink(missing_ok=True)

    def _whole(self) -> Iterator[tuple[int, Row]]:
        """Yield length and row of each line, up to the first that is cut short or damaged."""
        with suppress(FileNotFoundError, ValueError), self.path.open("rb") as file:
            if file.readline() == self._signature:
                for line in takewhile(lambda line: line.endswith(b"\n"), file):
                    yield len(line), parse_json(line, dict)

    def _opened(self) -> IO[bytes]:
        """Open the file behind its last whole row; a file of another question is begun again."""
        whole = sum(length for length, _ in self._whole())
        if not whole:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(self._signature)
        file = self.path.open("r+b")
        file.truncate(len(self._signature) + whole)
        file.seek(0, os.SEEK_END)
        return file
