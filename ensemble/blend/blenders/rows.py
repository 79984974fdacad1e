"""Helpers for the rows of logits: select them, split them into parts, read them in pieces, sample them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Folds, Labels, Logits

_PIECE = 16_384
_MOST_INNER_FOLDS = 4

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def take_rows(logits: Logits, rows: NDArray[np.intp]) -> Logits:
    """Return some rows, each column again contiguous."""
    taken: Logits = logits.T[:, rows].T
    return taken


def parts_of(folds: Folds, most: int) -> list[NDArray[np.intp]]:
    """Return the rows of each fold; beyond `most` folds several are merged. Empty if all rows are of one fold."""
    _, number = np.unique(folds, return_inverse=True)
    parts = [np.flatnonzero(number % most == part) for part in range(min(number.max(initial=0) + 1, most))]
    return parts if len(parts) > 1 else []


def inner_splits(folds: Folds) -> Iterator[Split]:
    """Yield rows to fit on and rows to score, ledger fold by ledger fold; of more than four, several are merged."""
    rows = np.arange(len(folds))
    yield from ((np.delete(rows, part), part) for part in parts_of(folds, _MOST_INNER_FOLDS))


def pieces(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield row numbers in pieces, so that a copy of their rows is small beside the matrix."""
    return (rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE))


def mean_of(arrays: Iterable[Array]) -> Array:
    """Return the mean (n,) of arrays (n,), of which only one needs to be in memory at a time."""
    total, count = np.zeros(1), 0
    for array in arrays:
        total, count = total + array, count + 1
    return total / count


def targets(labels: Labels) -> Array:
    """Return what a logistic fit aims at: a little less than certainty, by one row more of each class (Platt, 1999).

    Where all rows are separated, the scale that fits 0 and 1 best is infinite, and nobody has seen so many rows.
    """
    fakes = int((labels == 1).sum())
    return np.where(labels == 1, (fakes + 1) / (fakes + 2), 1 / (len(labels) - fakes + 2))


def at_most(rows: int, most: int) -> NDArray[np.intp]:
    """Return sorted row numbers: all, or a random sample of `most`, the same for the same two numbers.

    Not every k-th row, since every second row may be a fake.
    """
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng([rows, most]).choice(rows, most, replace=False))
