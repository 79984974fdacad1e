"""The pictures of a game: training photographs with out-of-fold answers, or a folder of one's own with a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.predict.photographs.decoding import decode

MOST: Final = 200  # pictures of each kind that a server keeps
_NAMES: Final = ("name", "path", "file")
_LABELS: Final = ("target", "label", "fake")
_PROBABILITIES: Final = ("pred", "probability")
_OWN: Final = (
    "Pictures that were put together by those who run this server; what is real and what the ensemble says of them is "
    "as they have written it."
)


@dataclass(frozen=True)
class Picture:
    """A picture whose truth is known; `probability` of fake is the ensemble's."""

    content: bytes
    fake: bool
    probability: float | None


@dataclass(frozen=True)
class Pictures:
    """Pictures of both kinds.

    Attributes
    ----------
    source : str
        Where they are from, in a sentence for players.
    synthetic : bool
        Whether the real ones were drawn by a program too.
    unseen : bool
        Whether the ensemble's answers are known to be by models that had not seen the pictures.
    """

    pictures: list[Picture]
    source: str
    synthetic: bool
    unseen: bool


def pictures_of(path: Location) -> Pictures:
    """Return the pictures of a store, or of a folder with a table.

    Raises
    ------
    UserError
        It is neither, or has not at least one picture of each kind.
    """
    if (path / "data.json").is_file():
        from ensemble.serve.game.stored import pictures_of_store  # a small installation has no stores

        found = pictures_of_store(path)
    elif isinstance(path, Path) and path.is_dir():
        found = _of_folder(path)
    else:
        raise UserError(f"--play {path}: give a store, or a folder with photographs and a table of them")
    if len({picture.fake for picture in found.pictures}) < 2:
        raise UserError(
            f"--play {path}: a game needs real and generated pictures, and there are only pictures of one "
            "kind; add others"
        )
    return found


def balanced(fakes: NDArray[np.bool_]) -> list[int]:
    """Return rows of as many real as generated pictures, drawn at random."""
    rng = np.random.default_rng(0)
    kinds = [rng.permutation(np.flatnonzero(fakes == kind)) for kind in (False, True)]
    number = min(MOST, *map(len, kinds))
    return [int(row) for kind in kinds for row in kind[:number]]


def _of_folder(folder: Path) -> Pictures:
    tables = sorted(folder.glob("*.csv"))
    if len(tables) != 1:
        raise UserError(
            f"--play {folder}: there must be one table in it, such as pictures.csv, with the columns name and target "
            f"(1 is generated), and there are {len(tables)}"
        )
    rows = _rows(tables[0])
    chosen = balanced(np.array([fake for _, fake, _ in rows], dtype=bool))
    pictures = []
    for row in chosen:
        name, fake, probability = rows[row]
        path = folder / name
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{tables[0]} names {name}, which is not in {folder}")
        content = path.read_bytes()
        if not can_be_shown(content):
            raise UserError(f"{tables[0]} names {name}, which cannot be shown: {decode(content)}; replace it")
        pictures.append(Picture(content, fake, probability))
    return Pictures(pictures, _OWN, synthetic=False, unseen=False)


def can_be_shown(content: bytes) -> bool:
    """Return whether a picture can be shown in the game: one that the models could be asked about."""
    return not isinstance(decode(content), str)


def _rows(table: Path) -> list[tuple[str, bool, float | None]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        return _parsed(csv.DictReader(StringIO(text, newline=""), restval=""), table)
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{table} cannot be read; save it as CSV in UTF-8") from None


def _parsed(reader: csv.DictReader[str], table: Path) -> list[tuple[str, bool, float | None]]:
    titles = reader.fieldnames or []
    name, label = _column(titles, _NAMES), _column(titles, _LABELS)
    probability = _column(titles, _PROBABILITIES)
    if name is None or label is None:
        raise UserError(f"{table} needs a column name and a column target (1 is generated, 0 is real)")
    rows = []
    for number, row in enumerate(reader, 2):
        if not row[name]:
            raise UserError(f"{table}, row {number}: the {name} is empty")
        if row[label] not in ("0", "1"):
            raise UserError(f"{table}, row {number}: {label} is {row[label]!r}; write 1 for generated, 0 for real")
        known = row[probability] if probability else ""
        rows.append((row[name], row[label] == "1", _probability(known, f"{table}, row {number}")))
    return rows


def _probability(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not 0 <= found <= 1:
        raise UserError(f"{where}: the probability of fake is {text!r}; write a number from 0 to 1, or nothing")
    return found


def _column(titles: Sequence[str], known: Sequence[str]) -> str | None:
    return next((title for title in titles if title.strip().lower() in known), None)
