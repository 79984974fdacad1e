"""Rows that an interrupted prediction has answered already: the same command goes on after them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from ensemble.core.storage.hashing import digest

if TYPE_CHECKING:
    from typing import Self

Row = dict[str, Any]
_EVERY = 16  # rows: what a kill can cost


class UnfinishedRows:
    """A file of JSON lines beside the output: what the rows were made from, then the rows in order.

    Parameters
    ----------
    out : Path
        The output, which the finished rows are written to at last.
    made_from : list
        What the rows depend on; rows of anything else are not gone on with.

    Attributes
    ----------
    done : int
        Rows that were there already.
    """

    def __init__(self, out: Path, made_from: Sequence[Any]) -> None:
        self.path = out.with_name(f".{out.name}.unfinished")
        self._signature = digest(list(made_from))
        self.done = sum(1 for _ in self.rows())
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Cut off a last line that was not written as a whole, and open the file for more."""
        kept = [json.dumps(self._signature), *map(_text, self.rows())] if self.done else [json.dumps(self._signature)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add_all(self, rows: Iterator[Row]) -> None:
        """Add rows as they come."""
        assert self._file is not None  # noqa: S101
        for number, row in enumerate(rows, 1):
            self._file.write(_text(row) + "\n")
            if number % _EVERY == 0:
                self._file.flush()
        self._file.flush()

    def rows(self) -> Iterator[Row]:
        """Yield the rows, as far as they are whole."""
        try:
            with self.path.open(encoding="utf-8") as file:
                if json.loads(next(file, "null")) != self._signature:
                    return
                for line in file:
                    if not line.endswith("\n"):
                        return
                    yield json.loads(line)
        except (OSError, ValueError):
            return

    def remove(self) -> None:
        """Remove the file, once the output is written."""
        self.path.unlink(missing_ok=True)


def _text(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)
