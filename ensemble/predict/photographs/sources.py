"""Which photographs are asked about: files, folders, patterns, tables that list them, addresses of object stores."""

from __future__ import annotations

import csv
import glob
import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

from ensemble.competition.kinds import is_junk, is_picture
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location
from ensemble.predict.photographs.decoding import MOST_BYTES

_LISTS: Final = (".csv", ".tsv", ".parquet", ".txt")
_COLUMNS: Final = ("name", "path", "file", "filename", "photograph", "image")
_SEPARATORS: Final = ",;\t"
_PATTERN: Final = set("*?[")


@dataclass(frozen=True)
class Source:
    """A photograph that is asked about.

    Attributes
    ----------
    name : str
        What the answer is called; bytes that are no text are escaped.
    path : path
    size : int or None
        In bytes, of an object that was listed.
    """

    name: str
    path: Location
    size: int | None = None

    def __post_init__(self) -> None:
        printable = os.fsencode(self.name).decode("utf-8", errors="backslashreplace")
        object.__setattr__(self, "name", printable)

    @property
    def signature(self) -> list[Any]:
        """Return what identifies it, and changes with its content, as JSON values."""
        if not isinstance(self.path, Path):
            return [self.name, str(self.path), self.size]
        with suppress(OSError, ValueError):  # a path with a NUL is none
            facts = self.path.stat()
            return [self.name, os.fsencode(self.path.absolute()).hex(), facts.st_size, facts.st_mtime_ns]
        return [self.name, os.fsencode(self.path.absolute()).hex()]

    def read(self) -> bytes | str:
        """Return its content, or why it cannot be read; of a file that is too large only the beginning."""
        try:
            if isinstance(self.path, Path) and not stat.S_ISREG(mode := self.path.stat().st_mode):
                return "a folder" if stat.S_ISDIR(mode) else "not a file"  # to read a pipe could take for ever
            with self.path.open("rb") as file:
                return bytes(file.read(MOST_BYTES + 1))
        except IsADirectoryError:
            return "a folder"
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be opened"
            return f"cannot be read: {reason[:1].lower()}{reason[1:]}"


def find_sources(places: Sequence[str]) -> list[Source]:
    """Return the photographs of all places, in the order of the places; those of a folder sorted by name.

    A place is a file, a folder (photographs at any depth), a pattern such as `inbox/*.jpg`, a table (.csv or .tsv with
    a column `name` or `path`, .parquet, or .txt with one a line; paths are relative to the table), or the address of a
    file or folder of an object store.

    Raises
    ------
    UserError
        There is no such place, or no photograph in it, or a table lists none.
    """
    return [source for place in places for source in _of_place(place)]


def _of_place(place: str) -> list[Source]:
    if not place.strip():  # such as a variable of the shell that is not set; as a path it would be the current folder
        return _none("a name is empty")
    path = location(place)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
        found = list(_photographs_below(path)) if is_folder else []
    except OSError as error:  # such as a name that is too long
        where, reason = error.filename or place, error.strerror or "it cannot be opened"
        remedy = "leave it out by a pattern, or change its rights"
        raise UserError(f"{where} cannot be read ({reason.lower()}); {remedy}") from None
    if is_folder:
        return found or _none(f"{place} has no photographs")
    if is_file:
        return _listed(path) if path.suffix.lower() in _LISTS else [Source(place, path)]
    if _PATTERN & set(place) and "://" not in place:
        matches = sorted(set(glob.glob(place, recursive=True)))
        found = [Source(match, Path(match)) for match in matches if _is_meant(match, place)]
        return found or _none(f"no file matches {place}")
    return _none(f"{place} does not exist")


def _is_meant(match: str, pattern: str) -> bool:
    """Return whether a match is a photograph; junk is meant only where the pattern names it."""
    found = [part for part in PurePath(match).parts if part not in PurePath(pattern).parts]
    return is_picture(match) and not is_junk("/".join(found)) and Path(match).is_file()


def _photographs_below(folder: Location) -> Iterator[Source]:
    """Yield the photographs at any depth, sorted by name; junk is none, unless it is in the folder's own name."""
    if not isinstance(folder, Path):
        for name, size in folder.files_below().items():
            if is_picture(name) and not is_junk(name):
                yield Source(str(folder / name), folder / name, size)
        return
    for path in sorted(_files_below(folder), key=str):
        if is_picture(path.name) and not is_junk(path.relative_to(folder).as_posix()) and path.is_file():
            yield Source(str(path), path)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, and below those that links lead to, once each.

    A folder that may not be read is an error, and not an empty one.
    """

    def refuse(error: OSError) -> None:
        raise error

    seen = {os.path.realpath(folder)}

    def is_new(place: str) -> bool:
        known, real = len(seen), os.path.realpath(place)
        seen.add(real)
        return len(seen) > known

    for top, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in sorted(folders) if not is_junk(name) and is_new(os.path.join(top, name))]
        yield from (Path(top) / name for name in names)


def _listed(table: Location) -> list[Source]:
    read = {".csv": _of_csv, ".tsv": _of_csv, ".parquet": _of_parquet, ".txt": _of_lines}[table.suffix.lower()]
    names = [name for name in read(table) if name]
    return [Source(name, _beside(table, name)) for name in names] or _none(f"{table} lists no photographs")


def _beside(table: Location, name: str) -> Location:
    return location(name) if "://" in name else table.parent / name


def _text_of(table: Location) -> str:
    try:
        return table.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{table} cannot be read as text in UTF-8; save it as that") from None


def _of_lines(table: Location) -> list[str]:
    return [line.strip() for line in _text_of(table).split("\n")]


def _of_csv(table: Location) -> list[str]:
    text = _text_of(table)
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(row)]
    except csv.Error:
        raise UserError(f"{table} cannot be read as a table; save it as CSV in UTF-8") from None
    if not rows:
        return []
    names = [column for column, cell in enumerate(rows[0]) if is_picture(cell.strip())]
    if len(names) == 1:  # it has no titles
        return [row[names[0]].strip() for row in rows if len(row) > names[0]]
    column = _column([title.strip().lower() for title in rows[0]], table)
    return [row[column].strip() for row in rows[1:] if len(row) > column]


def _of_parquet(table: Location) -> list[str]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise UserError(
            f"{table}: reading parquet needs pyarrow, which is not installed; list them in a .csv"
        ) from None
    try:
        arrow = parquet.read_table(io.BytesIO(table.read_bytes()))
        column = _column([title.strip().lower() for title in arrow.column_names], table)
        return [str(name) for name in arrow.column(column).to_pylist() if name is not None]
    except UserError:
        raise
    except Exception:  # pyarrow's errors are many
        raise UserError(f"{table} cannot be read as parquet; list them in a .csv") from None


def _column(titles: list[str], table: Location) -> int:
    if len(titles) == 1:
        return 0
    found = [column for column, title in enumerate(titles) if title in _COLUMNS]
    if not found:
        raise UserError(
            f"{table} has no column called {' or '.join(_COLUMNS)}; rename the one that lists the photographs"
        )
    if len(found) > 1:
        several = ", ".join(titles[column] for column in found)
        raise UserError(f"{table} has several columns that could name photographs: {several}; leave one of them")
    return found[0]


def _none(reason: str) -> list[Source]:
    raise UserError(f"{reason}; name files, folders, patterns, or tables that list photographs")
