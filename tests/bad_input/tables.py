"""Faults of train.csv and submit.csv."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bad_input.cases import ACCEPTED, Case

Rows = list[list[str]]
TABLES = ("train.csv", "submit.csv")


def _rows(path: Path) -> Rows:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def _text(rows: Rows, delimiter: str = ",") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()


def _of_rows(table: str, change: Callable[[Rows], Rows]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        path = folder / "data" / table
        path.write_text(_text(change(_rows(path))))

    return apply


def _of_bytes(table: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        path = folder / "data" / table
        path.write_bytes(change(path.read_bytes()))

    return apply


def _with(rows: Rows, row: int, column: int, value: str) -> Rows:
    return [[value if (r, c) == (row, column) else v for c, v in enumerate(each)] for r, each in enumerate(rows)]


def _of_path(table: str, change: Callable[[Path], object]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        change(folder / "data" / table)

    return apply


def _replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


ROWS: dict[str, Callable[[Rows], Rows]] = {
    "no rows": lambda rows: rows[:1],
    "no header": lambda rows: rows[1:],
    "header twice": lambda rows: [rows[0], *rows],
    "header in the middle": lambda rows: [*rows[:3], rows[0], *rows[3:]],
    "header of equal titles": lambda rows: [["name", "name"], *rows[1:]],
    "header without titles": lambda rows: [["", ""], *rows[1:]],
    "titles in another language": lambda rows: [["имя", "цель"], *rows[1:]],
    "titles of spaces": lambda rows: [[" ", "  "], *rows[1:]],
    "very long title": lambda rows: [["x" * 10_000, rows[0][1]], *rows[1:]],
    "columns swapped": lambda rows: [row[::-1] for row in rows],
    "an index in front": lambda rows: [["", *rows[0]], *([str(n), *row] for n, row in enumerate(rows[1:]))],
    "names only": lambda rows: [row[:1] for row in rows],
    "no names": lambda rows: [row[1:] for row in rows],
    "three more columns": lambda rows: [[*row, "a", "b", "c"] for row in rows],
    "a row twice": lambda rows: [*rows, rows[1]],
    "a row missing": lambda rows: rows[:-1],
    "most of the rows": lambda rows: rows[: 3 * len(rows) // 4],
    "another photograph": lambda rows: [*rows, ["99999.png", "0"]],
    "other photographs": lambda rows: [rows[0], *([f"x{name}", value] for name, value in rows[1:])],
    "a cell missing": lambda rows: [*rows[:3], rows[3][:1], *rows[4:]],
    "a cell more": lambda rows: [*rows[:3], [*rows[3], "1"], *rows[4:]],
    "an empty name": lambda rows: _with(rows, 2, 0, ""),
    "a name of spaces": lambda rows: _with(rows, 2, 0, "   "),
    "a name that leads out": lambda rows: _with(rows, 2, 0, "../00001.png"),
    "an absolute name": lambda rows: _with(rows, 2, 0, "/etc/passwd"),
    "a name with a zero byte": lambda rows: _with(rows, 2, 0, "00001\0.png"),
    "a name with a line break": lambda rows: _with(rows, 2, 0, "00001\n.png"),
    "a name of 100,000 characters": lambda rows: _with(rows, 2, 0, "x" * 100_000),
    "a name that is a formula": lambda rows: _with(rows, 2, 0, "=1+1"),
    "a name with escapes": lambda rows: _with(rows, 2, 0, "\x1b[2J.png"),
    "an empty value": lambda rows: _with(rows, 2, 1, ""),
    "a value that is no number": lambda rows: _with(rows, 2, 1, "NaN"),
    "an infinite value": lambda rows: _with(rows, 2, 1, "inf"),
    "a value of 400 digits": lambda rows: _with(rows, 2, 1, "9" * 400),
    "a value of two": lambda rows: _with(rows, 2, 1, "2"),
    "a value below zero": lambda rows: _with(rows, 2, 1, "-1"),
    "a value of one half": lambda rows: _with(rows, 2, 1, "0.5"),
    "a value that is a word": lambda rows: _with(rows, 2, 1, "perhaps"),
    "all values zero": lambda rows: [rows[0], *([name, "0"] for name, _ in rows[1:])],
    "all values one": lambda rows: [rows[0], *([name, "1"] for name, _ in rows[1:])],
    "one row of a class": lambda rows: [rows[0], *([name, str(int(n == 0))] for n, (name, _) in enumerate(rows[1:]))],
    "values one and two": lambda rows: [rows[0], *([name, str(int(value) + 1)] for name, value in rows[1:])],
    "values of words": lambda rows: [rows[0], *([name, ("real", "fake")[int(value)]] for name, value in rows[1:])],
    "values of three words": lambda rows: [
        rows[0], *([name, ("real", "fake", "both")[n % 3]] for n, (name, _) in enumerate(rows[1:]))
    ],
    "a title that says the contrary": lambda rows: [[rows[0][0], "is_real"], *rows[1:]],
}  # fmt: skip
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "a line break": lambda content: b"\n",
    "spaces": lambda content: b"   \n  \n",
    "zero bytes": lambda content: bytes(1_000),
    "zero bytes at the end": lambda content: content + bytes(100),
    "every byte": lambda content: bytes(range(256)) * 10,
    "a photograph": lambda content: b"\x89PNG\r\n\x1a\n" + content,
    "cut in a row": lambda content: content[:-3],
    "an open quote": lambda content: content.replace(b"00003.png", b'"00003.png'),
    "quotes in quotes": lambda content: content.replace(b"00003.png", b'"00003".png"'),
    "UTF-16 without a mark": lambda content: content.decode().encode("utf-16-le"),
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "UTF-32": lambda content: content.decode().encode("utf-32"),
    "UTF-8 with a mark": lambda content: b"\xef\xbb\xbf" + content,
    "half a character": lambda content: content.replace(b"name", b"n\xc3me"),
    "old line ends": lambda content: content.replace(b"\n", b"\r"),
    "Windows line ends": lambda content: content.replace(b"\n", b"\r\n"),
    "semicolons": lambda content: content.replace(b",", b";"),
    "tabs": lambda content: content.replace(b",", b"\t"),
    "bars": lambda content: content.replace(b",", b"|"),
    "spaces between": lambda content: content.replace(b",", b" "),
    "a comma at each end": lambda content: content.replace(b"\n", b",\n"),
    "comments": lambda content: b"# made by hand\n" + content,
    "gzip": gzip.compress,
    "JSON": lambda content: json.dumps({"a": content.decode()}).encode(),
    "HTML": lambda content: b"<!doctype html><html><body>404</body></html>",
    "XML": lambda content: b"<?xml version='1.0'?><a/>",
    "a Git LFS pointer": lambda content: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
    "a line of a megabyte": lambda content: content + b"x" * 1_000_000,
    "100,000 columns": lambda content: b",".join([b"c"] * 100_000) + b"\n" + content,
    "the start of a workbook": lambda content: b"PK\x03\x04" + bytes(100),
}
PATHS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "a folder": lambda path: _replaced(path, Path.mkdir),
    "a link to nothing": lambda path: _replaced(path, lambda where: where.symlink_to("nowhere")),
    "a link to itself": lambda path: _replaced(path, lambda where: where.symlink_to(where.name)),
    "a pipe": lambda path: _replaced(path, os.mkfifo),
    "a device": lambda path: _replaced(path, lambda where: where.symlink_to("/dev/zero")),
    "another suffix": lambda path: path.rename(path.with_suffix(".txt")),
    "upper case": lambda path: path.rename(path.with_name(path.name.upper())),
    "twice": lambda path: (path.parent / f"copy of {path.name}").write_bytes(path.read_bytes()),
}


def cases() -> Iterator[Case]:
    """Yield all cases of both tables."""
    for table in TABLES:
        for kind, wrap in ((ROWS, _of_rows), (BYTES, _of_bytes), (PATHS, _of_path)):
            for name, change in kind.items():  # type: ignore[attr-defined]
                said = SAID[table].get(name, ACCEPTED)
                yield Case(f"{table}: {name}", wrap(table, change), said)  # type: ignore[operator]


SAID: dict[str, dict[str, str]] = {
    "train.csv": {
        "no rows": "contains no rows",
        "header twice": "label missing or not 0/1",
        "header in the middle": "label missing or not 0/1",
        "header of equal titles": "several columns called",
        "names only": "no column has labels",
        "no names": "no column names photographs",
        "a row twice": "duplicate row",
        "another photograph": "row without a photograph",
        "other photographs": "no column names photographs",
        "a cell missing": "label missing or not 0/1",
        "a cell more": "has more cells than the header has columns",
        "an empty name": "row without a photograph",
        "a name of spaces": "row without a photograph",
        "an absolute name": "row without a photograph",
        "a name with a zero byte": "is not a text file; save the table",
        "a name with a line break": "row without a photograph",
        "a name of 100,000 characters": "row without a photograph",
        "a name that is a formula": "row without a photograph",
        "a name with escapes": "row without a photograph",
        "an empty value": "label missing or not 0/1",
        "a value that is no number": "label missing or not 0/1",
        "an infinite value": "label missing or not 0/1",
        "a value of 400 digits": "label missing or not 0/1",
        "a value of two": "label missing or not 0/1",
        "a value below zero": "label missing or not 0/1",
        "a value of one half": "label missing or not 0/1",
        "a value that is a word": "label missing or not 0/1",
        "all values zero": "only one class",
        "all values one": "only one class",
        "one row of a class": "fewer than folds.n_folds",
        "values one and two": "label missing or not 0/1",
        "values of three words": "label missing or not 0/1",
        "a title that says the contrary": "set data.fake_label",
        "empty": "is an empty file",
        "a line break": "contains no rows",
        "spaces": "contains no rows",
        "zero bytes": "is not a text file; save the table",
        "zero bytes at the end": "is not a text file; save the table",
        "every byte": "is not in UTF-8",
        "a photograph": "is not in UTF-8",
        "cut in a row": "label missing or not 0/1",
        "an open quote": "label missing or not 0/1",
        "quotes in quotes": "row without a photograph",
        "UTF-16 without a mark": "is not a text file; save the table",
        "half a character": "is not in UTF-8",
        "bars": "no column names photographs",
        "comments": "label missing or not 0/1",
        "gzip": "is not in UTF-8",
        "JSON": "no column names photographs",
        "HTML": "is an HTML page",
        "XML": "contains no rows",
        "a Git LFS pointer": "is a Git LFS pointer",
        "a line of a megabyte": "cannot be read as a row",
        "100,000 columns": "several columns called",
        "the start of a workbook": "is not a text file; save the table",
        "missing": "there is no train.csv with the labels",
        "a folder": "there is no train.csv with the labels",
        "a link to nothing": "there is no train.csv with the labels",
        "a link to itself": "there is no train.csv with the labels",
        "a pipe": "there is no train.csv with the labels",
        "a device": "there is no train.csv with the labels",
    },
    "submit.csv": {
        "a title that says the contrary": "set data.prediction_column",
        "no rows": "contains no rows",
        "header twice": "row without a photograph",
        "header in the middle": "row without a photograph",
        "header of equal titles": "several columns called",
        "no names": "no column names photographs",
        "a row twice": "duplicate row",
        "another photograph": "row without a photograph",
        "other photographs": "no column names photographs",
        "a cell more": "has more cells than the header has columns",
        "an empty name": "row without a photograph",
        "a name of spaces": "row without a photograph",
        "an absolute name": "row without a photograph",
        "a name with a zero byte": "is not a text file; save the table",
        "a name with a line break": "row without a photograph",
        "a name of 100,000 characters": "row without a photograph",
        "a name that is a formula": "row without a photograph",
        "a name with escapes": "row without a photograph",
        "empty": "is an empty file",
        "a line break": "contains no rows",
        "spaces": "contains no rows",
        "zero bytes": "is not a text file; save the table",
        "zero bytes at the end": "is not a text file; save the table",
        "every byte": "is not in UTF-8",
        "a photograph": "is not in UTF-8",
        "an open quote": "row without a photograph",
        "quotes in quotes": "row without a photograph",
        "UTF-16 without a mark": "is not a text file; save the table",
        "half a character": "is not in UTF-8",
        "bars": "no column names photographs",
        "comments": "row without a photograph",
        "gzip": "is not in UTF-8",
        "JSON": "no column names photographs",
        "HTML": "is an HTML page",
        "XML": "contains no rows",
        "a Git LFS pointer": "is a Git LFS pointer",
        "a line of a megabyte": "cannot be read as a row",
        "100,000 columns": "several columns called",
        "the start of a workbook": "is not a text file; save the table",
        "missing": "there is no submit.csv",
        "a folder": "there is no submit.csv",
        "a link to nothing": "there is no submit.csv",
        "a link to itself": "there is no submit.csv",
        "a pipe": "there is no submit.csv",
        "a device": "there is no submit.csv",
    },
}
