"""What the values of a label column mean: numbers, True and False, or words for fake and real."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ensemble.competition.tables import Table

_FAKE = {
    "fake", "fakes", "generated", "synthetic", "ai", "gan", "deepfake", "artificial", "machine", "forged", "spoof",
    "manipulated",
}  # fmt: skip
_REAL_TITLES = {"real", "genuine", "authentic", "original", "human", "natural"}
_REAL = _REAL_TITLES | {"reals", "photo", "photograph", "pristine", "camera"}
_TRUE, _FALSE = {"true", "yes", "t", "y"}, {"false", "no", "f", "n"}
_LETTERS = {"t", "f", "y", "n"}
_DENIALS = {"not", "non", "no", "un"}
UNKNOWN = -1

NUMBERS, WORDS = "numbers", "words"


def kind_of(table: Table, title: str) -> str | None:
    """Return what a column seems to contain: NUMBERS (0 and 1, True and False), WORDS for fake and real, or neither."""
    cells = [cell for cell in table.columns[title] if cell]
    for kind, values in ((NUMBERS, numbers_of(table, title)), (WORDS, words_of(cells))):
        known = [value for value in values if value != UNKNOWN]
        if kind == NUMBERS and len(known) < len(cells) and {cell.lower() for cell in cells} & _LETTERS:
            continue  # F and M, say
        if cells and len(known) >= len(cells) / 2 and (kind == NUMBERS or len(set(known)) > 1):
            return kind
    return None


def numbers_of(table: Table, title: str) -> list[int]:
    """Read 0 and 1 (also 1.00, 1e0) and True and False; -1 for other values."""
    numbers = [int(value) if value in (0, 1) else UNKNOWN for value in table.numbers(title).tolist()]
    words = [cell.lower() for cell in table.columns[title]]
    return [
        1 if word in _TRUE else 0 if word in _FALSE else number for number, word in zip(numbers, words, strict=True)
    ]


def words_of(cells: Iterable[str]) -> list[int]:
    """Read words: 1 for fake, 0 for real, -1 for other values."""
    return [_meaning(_tokens(cell)) for cell in cells]


def labels_of(table: Table, title: str, fake_label: str | None) -> list[int]:
    """Read the labels: 1 is fake (or what equals `fake_label`), every other value is real, -1 stands for none."""
    cells = list(table.columns[title])
    if fake_label is None:
        return words_of(cells) if kind_of(table, title) == WORDS else numbers_of(table, title)
    wanted = same(fake_label)
    return [UNKNOWN if not cell else int(same(cell) == wanted) for cell in cells]


def meaning_of(value: str) -> int:
    """Read one value, as a number, True or False, or a word: 1 for fake, 0 for real, -1 for others."""
    number = same(value)
    return int(number) if number in (0.0, 1.0) else _meaning(_tokens(value))


def real_by_title(title: str) -> bool:
    """Return whether a column's title states that 1 means real, such as `is_real`."""
    tokens = set(_tokens(title))
    if tokens & _DENIALS:
        return bool(tokens & _FAKE)
    return bool(tokens & (_REAL | {"isreal"})) and not tokens & _FAKE


def classes_of_paths(paths: Sequence[str]) -> list[int]:
    """Read words for fake and real in the folders of photographs; -1 where a path has none, or all have the same."""
    found = [_meaning(_tokens(path.rpartition("/")[0])) for path in paths]
    return found if {0, 1} <= set(found) else [UNKNOWN] * len(paths)


def disagreement(labels: Sequence[int], others: Sequence[int]) -> float:
    """Return the share of rows whose labels are different in two readings, among those that both know; NaN if none."""
    counts = Counter(one == other for one, other in zip(labels, others, strict=True) if UNKNOWN not in (one, other))
    total = counts.total()
    return counts[False] / total if total else float("nan")


def _tokens(text: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower())


def _meaning(tokens: Sequence[str]) -> int:
    fake, real = (any(token in words for token in tokens) for words in (_FAKE, _REAL))
    if fake == real or _DENIALS & set(tokens):
        return UNKNOWN
    return int(fake)


def same(value: str) -> str | float:
    """Return what ways of writing a value have in common: 1, 1.0 and True; Fake and fake."""
    word = value.strip().lower()
    if word in _TRUE | _FALSE:
        return float(word in _TRUE)
    try:
        return float(word)
    except ValueError:
        return word
