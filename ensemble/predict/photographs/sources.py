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

_LISTS: Final = (".csv", ".parquet", ".txt")
_COLUMNS: Final = ("name", "path", "file", "filename", "photograph", "image")
_SEPARATORS: Final = ",;\t"
_PATTERN: Final = set("*?[")


@dataclass(frozen=True)
class Source:
    """A photograph that is asked about; `name` is what the answer is called, with bytes that are no text escaped."""

    name: str
    path: Location

    def __post_init__(self) -> None:
        printable = os.fsencode(self.name).decode("utf-8", errors="backslashreplace")
        object.__setattr__(self, "name", printable)

    @property
    def signature(self) -> list[Any]:
        """Return what identifies it, and changes with its content, as JSON values."""
        if not isinstance(self.path, Path):
            return [self.name, str(self.path)]
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

    A place is a file, a folder (photographs at any depth), a pattern such as `inbox/*.jpg`, a table (.csv with a column
    `name` or `path`, .parquet, or .txt with one a line; paths are relative to the table), or the address of a file or
    folder of an object store.

    Raises
    ------
    UserError
        There is no such place, or no photograph in it, or a table lists none.
    """
    return [source for place in places for source in _of_place(place)]


def _of_place(place: str) -> list[Source]:
    if not place.strip():  # such as a variable of the shell that is not set; as a path it would be the current folder
        return _none("a name is empty")
    path = _parsed(place)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
        if is_folder and isinstance(path, Path):
            os.scandir(path).close()  # one that may not be read would look empty
    except OSError as error:  # such as a name that is too long
        return _none(f"{place} cannot be read ({(error.strerror or 'it cannot be opened').lower()})")
    if is_folder:
        found = [Source(str(each), each) for each in _photographs_below(path)]
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


def _parsed(place: str) -> Location:
    try:
        return location(place)
    except ValueError as error:
        raise UserError(f"{place} cannot be read ({' '.join(str(error).split())})") from None


def _photographs_below(folder: Location) -> Iterator[Location]:
    files: list[Location] = list(folder.rglob("*"))
    for path in sorted(files, key=str):
        if is_picture(path.name) and not is_junk(_inside(folder, path)) and path.is_file():
            yield path


def _inside(folder: Location, path: Location) -> str:
    """Return a path relative to a folder; the name of the current folder is no part of the paths in it."""
    if isinstance(path, Path) and isinstance(folder, Path):
        return path.relative_to(folder).as_posix()
    return str(path).removeprefix(str(folder)).lstrip("/")


def _listed(table: Location) -> list[Source]:
    read = {".csv": _of_csv, ".parquet": _of_parquet, ".txt": _of_lines}[table.suffix.lower()]
    names = [name for name in read(table) if name]
    return [Source(name, _beside(table, name)) for name in names] or _none(f"{table} lists no photographs")


def _beside(table: Location, name: str) -> Location:
    return _parsed(name) if "://" in name else table.parent / name


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
        raise UserError(f"{table} has no column called {', '.join(_COLUMNS)}; call one so")
    if len(found) > 1:
        several = ", ".join(titles[column] for column in found)
        raise UserError(f"{table} has several columns that could name photographs: {several}; leave one of them")
    return found[0]


def _none(reason: str) -> list[Source]:
    raise UserError(f"{reason}; name files, folders, patterns, or tables that list photographs")
