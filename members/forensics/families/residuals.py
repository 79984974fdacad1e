"""How neighbouring high-pass residuals occur together: a small rich model (Fridrich and Kodovsky, 2012)."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt

from members.forensics.family import Family
from members.forensics.highpass import differences, ker_5x5, ker_bohme
from members.forensics.photograph import CHANNELS, FINENESS, Floats, Levels, Photograph

Counts = npt.NDArray[np.int64]
Triple = tuple[int, int, int]

# A residual is rounded in units of q times its kernel's scale, halves away from zero, and clipped to -2..2.
SCALES = {"1st": 1, "2nd": 2, "3rd": 3, "kb": 4, "kv": 12}
STEPS = (1, 2)  # q
LIMIT = 2
BORDER = 3  # pixels left out all around: padding leaves traces of its own there


def cooccurrences(photograph: Photograph) -> Floats:
    """Return the share of every class of three neighbouring residuals, along rows and columns together.

    The 39 shares of one channel, kernel and q sum to one. Triples that differ in sign or direction are one class.
    """
    counts = [_triples(pair, scale) for plane in photograph.ycc_fine for pair, scale in _residuals(plane)]
    histograms = np.array(counts)
    shares: Floats = histograms @ _CLASS_OF_CODE / histograms.sum(axis=1, keepdims=True)
    return shares.ravel()


def _residuals(plane: Levels) -> list[tuple[tuple[Levels, Levels], int]]:
    """For each kernel: what to read down the columns, what to read along the rows, and the scale."""
    inner = plane[BORDER:-BORDER, BORDER:-BORDER]
    directed = [(differences(inner, order, axis=0), differences(inner, order, axis=1)) for order in (1, 2, 3)]
    kb = ker_bohme(inner)
    kv = ker_5x5(kb)
    return list(zip([*directed, (kb, kb), (kv, kv)], SCALES.values(), strict=True))


def _triples(pair: tuple[Levels, Levels], scale: int) -> Counts:
    """Count the 9^3 triples of levels down the first residual and along the second.

    One pass serves all q: nine levels tell apart all that any q does, and the counts are merged afterwards.
    """
    down, along = _levels(pair[0], scale), _levels(pair[1], scale)
    codes = (_pack(down[:-2], down[1:-1], down[2:]), _pack(along[:, :-2], along[:, 1:-1], along[:, 2:]))
    return np.bincount(np.concatenate(codes), minlength=_LEVELS**3)


def _levels(residual: Levels, scale: int) -> npt.NDArray[np.uint8]:
    """How many of the eight signed thresholds each residual reaches, 0..8; 4 is around zero."""
    levels = np.full(residual.shape, len(_THRESHOLDS), dtype=np.uint8)
    for threshold in _THRESHOLDS:
        least = math.ceil(threshold * scale * FINENESS)  # residuals are whole numbers
        levels += residual >= least
        levels -= residual <= -least
    return levels


def _pack(*levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """One number below 9^3 for each triple, flat. The first two levels still fit a byte."""
    first, second, third = levels
    return ((first * _LEVELS + second) * np.uint16(_LEVELS) + third).ravel()


def triple_classes() -> dict[Triple, int]:
    """Return the class of each of the 125 triples of values in -2..2: 39, numbered by their least triple."""
    values = range(-LIMIT, LIMIT + 1)
    least = {(a, b, c): min(_twins((a, b, c))) for a, b, c in product(values, repeat=3)}
    numbers = {twin: number for number, twin in enumerate(sorted(set(least.values())))}
    return {triple: numbers[twin] for triple, twin in least.items()}


def _twins(triple: Triple) -> list[Triple]:
    a, b, c = triple
    return [(a, b, c), (c, b, a), (-a, -b, -c), (-c, -b, -a)]


def _rounded(level: int, step: int) -> int:
    """Return what a residual of a level is in units of `step`, rounded and clipped."""
    size = abs(level - len(_THRESHOLDS))
    reached = sum(threshold in _halves(step) for threshold in _THRESHOLDS[:size])
    return reached if level > len(_THRESHOLDS) else -reached


def _halves(step: int) -> list[float]:
    """Where rounding in units of `step` goes up, below the clip."""
    return [(n + 0.5) * step for n in range(LIMIT)]


def _class_of_code() -> npt.NDArray[np.float64]:
    """Return a 0/1 matrix (9^3, steps x 39) that sums counts of packed codes into classes, exactly."""
    classes = triple_classes()
    count = len(set(classes.values()))
    matrix = np.zeros((_LEVELS**3, len(STEPS) * count))
    for code, levels in enumerate(product(range(_LEVELS), repeat=3)):
        for block, step in enumerate(STEPS):
            a, b, c = (_rounded(level, step) for level in levels)
            matrix[code, block * count + classes[a, b, c]] = 1.0
    return matrix


_THRESHOLDS = sorted({half for step in STEPS for half in _halves(step)})
_LEVELS = 2 * len(_THRESHOLDS) + 1
_CLASS_OF_CODE = _class_of_code()

FAMILY = Family(
    tuple(
        f"{channel}/{kernel}/q{step}/class_{number:02d}"
        for channel in CHANNELS
        for kernel in SCALES
        for step in STEPS
        for number in sorted(set(triple_classes().values()))
    ),
    cooccurrences,
)
