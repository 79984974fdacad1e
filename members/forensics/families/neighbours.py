"""Neighbours within and between cells of 2 x 2 pixels: the lattice that up-sampling leaves (NPR: Tan et al., 2024)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from members.forensics.compiled import compiled
from members.forensics.family import Family
from members.forensics.photograph import Floats, Levels, Photograph

RGB = ("R", "G", "B")
MAPS = ("horizontal", "vertical", "diagonal")
STATISTICS = ("mean", "deviation", "equal", "kurtosis")
FLOOR = 1e-3  # grey levels


def neighbours(photograph: Photograph) -> Floats:
    """Return four statistics of the differences within cells, and two lattice ratios, for R, G and B.

    A cell's pixels are compared along its rows, its columns and its diagonals. Every pixel is an anchor once, so both
    signs of a difference occur and their mean is nought: `mean` is log mean |d|, `deviation` log root mean square,
    `equal` the share of d = 0, `kurtosis` log m4 / m2^2. A mirrored photograph has the same.

    A lattice ratio is log(mean |d| within cells / mean |d| between cells), along rows or along columns.
    """
    return np.concatenate([_of_plane(plane) for plane in photograph.rgb_levels])


def _of_plane(plane: Levels) -> Floats:
    sums = _power_sums(plane)
    within, between = sums[:3], sums[3:]
    absolute, squared, fourth, equal = (within[:, 1:] / within[:, :1]).T
    kurtosis = np.log((fourth + FLOOR**4) / np.square(squared + FLOOR**2))
    statistics = [np.log(absolute + FLOOR), np.log(np.sqrt(squared) + FLOOR), equal, kurtosis]
    across = between[:, 1] / between[:, 0]
    ratios = np.log((absolute[:2] + FLOOR) / (across + FLOOR))
    return np.concatenate([np.column_stack(statistics).ravel(), ratios])


@compiled
def _power_sums(plane: Levels) -> npt.NDArray[np.float64]:
    """How many differences, and the sums of |d|, d^2, d^4 and d = 0, as float64 (5, 5).

    The rows are those within cells along rows, columns and diagonals, then those between cells along rows and columns.
    """
    height, width = plane.shape
    sums = np.zeros((5, 5), dtype=np.int64)
    for top in range(0, height, 2):
        for left in range(0, width, 2):
            a, b = np.int64(plane[top, left]), np.int64(plane[top, left + 1])
            c, d = np.int64(plane[top + 1, left]), np.int64(plane[top + 1, left + 1])
            for kind, first, second in ((0, a - b, c - d), (1, a - c, b - d), (2, a - d, b - c)):
                for difference in (first, second):
                    square = difference * difference
                    sums[kind, 0] += 1
                    sums[kind, 1] += abs(difference)
                    sums[kind, 2] += square
                    sums[kind, 3] += square * square
                    sums[kind, 4] += difference == 0
            if left + 2 < width:
                sums[3, 0] += 2
                sums[3, 1] += abs(plane[top, left + 2] - b) + abs(plane[top + 1, left + 2] - d)
            if top + 2 < height:
                sums[4, 0] += 2
                sums[4, 1] += abs(plane[top + 2, left] - c) + abs(plane[top + 2, left + 1] - d)
    return sums.astype(np.float64)


FAMILY = Family(
    tuple(
        name
        for plane in RGB
        for name in (
            *(f"{plane}/{kind}_{statistic}" for kind in MAPS for statistic in STATISTICS),
            f"{plane}/lattice_rows",
            f"{plane}/lattice_columns",
        )
    ),
    neighbours,
)
