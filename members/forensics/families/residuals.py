"""How neighbouring high-pass residuals occur together: a small rich model (Fridrich and Kodovsky, 2012)."""

from __future__ import annotations

import numpy as np

from members.forensics.cooccurrence import class_matrix, class_names, count_triples, shares
from members.forensics.family import Family
from members.forensics.highpass import BORDER, differences, ker_5x5
from members.forensics.photograph import CHANNELS, Floats, Levels, Photograph

SCALES = {"1st": 1, "2nd": 2, "3rd": 3, "kb": 4, "kv": 12}

_CLASSES = class_matrix()


def cooccurrences(photograph: Photograph) -> Floats:
    """Return the share of every class of three neighbouring residuals, along rows and columns together.

    The 39 shares of one channel, kernel and q sum to one. Triples that differ in sign or direction are one class.
    """
    counts = [count_triples(*pair, scale) for plane in photograph.ycc_fine for pair, scale in _residuals(plane)]
    return shares(np.array(counts), _CLASSES).ravel()


def _residuals(plane: Levels) -> list[tuple[tuple[Levels, Levels], int]]:
    """For each kernel: what to read down the columns, what to read along the rows, and the scale."""
    inner = plane[BORDER:-BORDER, BORDER:-BORDER]
    down, along = (_differences(inner, axis) for axis in (0, 1))
    kb = differences(along[1], 2, axis=0)
    kv = ker_5x5(kb)
    return list(zip([*zip(down, along, strict=True), (kb, kb), (kv, kv)], SCALES.values(), strict=True))


def _differences(plane: Levels, axis: int) -> list[Levels]:
    """Residuals of the first three orders, each from the one before."""
    first = differences(plane, 1, axis)
    second = differences(first, 1, axis)
    return [first, second, differences(second, 1, axis)]


FAMILY = Family(class_names(f"{channel}/{kernel}" for channel in CHANNELS for kernel in SCALES), cooccurrences)
