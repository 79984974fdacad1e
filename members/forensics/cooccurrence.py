"""How three neighbouring residuals occur together, counted by classes (rich models: Fridrich and Kodovsky, 2012).

A residual is rounded in units of q times its kernel's scale, halves away from zero, and clipped to -2..2. One pass
serves all q: nine levels distinguish all that any q does, and the counts are merged afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from members.forensics.compiled import compiled_or
from members.forensics.photograph import FINENESS, Floats, Levels

Counts = npt.NDArray[np.int64]
Triple = tuple[int, int, int]

# `_count` is written for these two: four thresholds, nine levels.
STEPS: Final = (1, 2)  # q
LIMIT: Final = 2


def count_triples(down: Levels, along: Levels, scale: int) -> Counts:
    """Count the 9^3 triples of levels down the columns of the first residual and along the rows of the second.

    Parameters
    ----------
    down, along : int array (height, width)
        Residuals in quarters of a grey level; their shapes may differ.
    scale : int
        Of the kernel.

    Returns
    -------
    int64 array (729,)
        The argument of `shares`.
    """
    # Residuals are whole numbers. Beyond the last threshold all count the same, so 16 bits are enough.
    least = np.array([math.ceil(threshold * scale * FINENESS) for threshold in _THRESHOLDS], dtype=np.int16)
    return _count(down, least, downwards=True) + _count(along, least, downwards=False)


def shares(counts: Counts, classes: npt.NDArray[np.float64]) -> Floats:
    """Return the share of each class at each q: (..., 729) to (..., steps x classes), those of one q sum to one."""
    total = np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    found: Floats = counts @ classes / total
    return found


def _count_plain(residual: Levels, least: Levels, downwards: bool) -> Counts:
    levels = np.full(residual.shape, 4, dtype=np.uint8)
    for threshold in least:
        levels += (residual >= threshold).view(np.uint8)
        levels -= (residual <= -threshold).view(np.uint8)
    wide = levels.astype(np.uint16)
    triples = (wide[:-2], wide[1:-1], wide[2:]) if downwards else (wide[:, :-2], wide[:, 1:-1], wide[:, 2:])
    codes = 81 * triples[0] + 9 * triples[1] + triples[2]
    return np.bincount(codes.ravel(), minlength=729)


@compiled_or(_count_plain)
def _count(residual: Levels, least: Levels, downwards: bool) -> Counts:
    height, width = residual.shape
    levels = np.empty((height, width), dtype=np.uint8)
    a, b, c, d = least
    for row in range(height):
        for column in range(width):
            value = residual[row, column]
            above = int(value >= a) + int(value >= b) + int(value >= c) + int(value >= d)
            below = int(value <= -a) + int(value <= -b) + int(value <= -c) + int(value <= -d)
            levels[row, column] = 4 + above - below
    down, right = (1, 0) if downwards else (0, 1)
    counts = np.zeros((4, 729), dtype=np.int64)  # four in turn: one would wait for itself when triples repeat
    codes = np.empty(width, dtype=np.uint16)
    for row in range(height - 2 * down):
        for column in range(width - 2 * right):
            first, second = levels[row, column], levels[row + down, column + right]
            third = levels[row + 2 * down, column + 2 * right]
            codes[column] = 81 * np.uint16(first) + 9 * np.uint16(second) + np.uint16(third)
        for column in range(width - 2 * right):
            counts[column & 3, codes[column]] += 1
    total: Counts = counts.sum(axis=0)
    return total


def triple_classes(is_sign_blind: bool = True) -> dict[Triple, int]:
    """Return the class of each of the 125 triples of values in -2..2, numbered by their least triple.

    A triple and its reverse are one class; where residuals have no sign of their own, so is its negative: 39 classes.
    Otherwise there are 75.
    """
    values = range(-LIMIT, LIMIT + 1)
    least = {(a, b, c): min(_twins((a, b, c), is_sign_blind)) for a, b, c in product(values, repeat=3)}
    numbers = {twin: number for number, twin in enumerate(sorted(set(least.values())))}
    return {triple: numbers[twin] for triple, twin in least.items()}


def _twins(triple: Triple, is_sign_blind: bool) -> list[Triple]:
    a, b, c = triple
    return [(a, b, c), (c, b, a)] + ([(-a, -b, -c), (-c, -b, -a)] if is_sign_blind else [])


def class_matrix(is_sign_blind: bool = True) -> npt.NDArray[np.float64]:
    """Return a 0/1 matrix (729, steps x classes) that sums counts of triples of levels into classes, exactly."""
    classes = triple_classes(is_sign_blind)
    count = len(set(classes.values()))
    matrix = np.zeros((_LEVELS**3, len(STEPS) * count))
    for code, levels in enumerate(product(range(_LEVELS), repeat=3)):
        for block, step in enumerate(STEPS):
            a, b, c = (_rounded(level, step) for level in levels)
            matrix[code, block * count + classes[a, b, c]] = 1.0
    return matrix


def class_names(prefixes: Iterable[str], is_sign_blind: bool = True) -> tuple[str, ...]:
    """Return the names of the columns that `shares` gives for each prefix."""
    numbers = sorted(set(triple_classes(is_sign_blind).values()))
    return tuple(f"{prefix}/q{step}/class_{number:02d}" for prefix in prefixes for step in STEPS for number in numbers)


def _rounded(level: int, step: int) -> int:
    """Return a residual of a level in units of `step`, rounded and clipped."""
    size = abs(level - len(_THRESHOLDS))
    reached = sum(threshold in _halves(step) for threshold in _THRESHOLDS[:size])
    return reached if level > len(_THRESHOLDS) else -reached


def _halves(step: int) -> list[float]:
    """Return the values at which rounding in units of `step` goes up, below the clip."""
    return [(n + 0.5) * step for n in range(LIMIT)]


_THRESHOLDS = sorted({half for step in STEPS for half in _halves(step)})
_LEVELS = 2 * len(_THRESHOLDS) + 1
