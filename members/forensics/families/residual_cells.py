"""Co-occurrences of residuals in each of 4 x 4 cells: in aligned faces these are hair, skin and background."""

from __future__ import annotations

import numpy as np

from members.forensics.cooccurrence import class_matrix, class_names, count_triples, shares
from members.forensics.family import Family
from members.forensics.highpass import BORDER, differences, ker_bohme
from members.forensics.photograph import CHANNELS, Floats, Levels, Photograph

CELLS = 4  # along a side
SCALES = {"2nd": 2, "kb": 4}

_CLASSES = class_matrix()


def cells(photograph: Photograph) -> Floats:
    """Return the shares of `residuals`, cell by cell from the top left, for two kernels."""
    counts = [
        count_triples(*pair, scale)
        for plane in photograph.ycc_fine
        for cell in _cut(plane[BORDER:-BORDER, BORDER:-BORDER])
        for pair, scale in zip(_residuals(cell), SCALES.values(), strict=True)
    ]
    return shares(np.array(counts), _CLASSES).ravel()


def _cut(plane: Levels) -> list[Levels]:
    return [part for row in np.array_split(plane, CELLS) for part in np.array_split(row, CELLS, axis=1)]


def _residuals(cell: Levels) -> list[tuple[Levels, Levels]]:
    kb = ker_bohme(cell)
    return [(differences(cell, 2, axis=0), differences(cell, 2, axis=1)), (kb, kb)]


FAMILY = Family(
    class_names(
        f"{channel}/cell_{row}_{column}/{kernel}"
        for channel in CHANNELS
        for row in range(CELLS)
        for column in range(CELLS)
        for kernel in SCALES
    ),
    cells,
)
