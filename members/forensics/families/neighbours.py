"""Neighbours within and between cells of 2 x 2 pixels: the lattice that up-sampling leaves (NPR: Tan et al., 2024)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from members.forensics.compiled import compiled_or
from members.forensics.family import Family
from members.forensics.photograph import Floats, Levels, Photograph
from members.forensics.statistics import FLOOR, log_tails

RGB = ("R", "G", "B")
MAPS = ("horizontal", "vertical", "diagonal")
STATISTICS = ("mean", "deviation", "equal", "kurtosis")


def neighbours(photograph: Photograph) -> Floats:
    """Return four statistics of the differences within cells, and two lattice ratios, for R, G and B.

    A cell's pixels are compared along its rows, its columns and its diagonals. Every pixel is an anchor once, so both
    signs of a difference occur and their mean is nought: `mean` is log mean |d|, `deviation` log root mean square,
    `equal` the share of d = 0, `kurtosis` log m4 / m2^2. A mirrored photograph has the same.

    A lattice ratio is log(mean |d| within cells / mean |d| between cells), along rows or along columns.
    """
    return np.concatenate([_of_plane(plane) for plane in photograph.rgb_levels])


def _of_plane(plane: Levels) -> Floats:
    counts = _count_differences(plane).astype(np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True)
    moments = shares @ _POWERS
    absolute, squared, _ = moments.T
    statistics = [np.log(absolute + FLOOR), np.log(np.sqrt(squared) + FLOOR), shares[:, 0], log_tails(moments)]
    ratios = np.log((absolute[:2] + FLOOR) / (absolute[3:] + FLOOR))
    return np.concatenate([np.column_stack(statistics)[:3].ravel(), ratios])


def _count_differences_plain(plane: Levels) -> npt.NDArray[np.int64]:
    rows, columns = np.abs(np.diff(plane, axis=1)), np.abs(np.diff(plane, axis=0))
    diagonals = np.abs([plane[::2, ::2] - plane[1::2, 1::2], plane[::2, 1::2] - plane[1::2, ::2]])
    kinds = (rows[:, ::2], columns[::2], diagonals, rows[:, 1::2], columns[1::2])
    return np.stack([np.bincount(kind.ravel(), minlength=256) for kind in kinds])


@compiled_or(_count_differences_plain)
def _count_differences(plane: Levels) -> npt.NDArray[np.int64]:
    """Count the absolute differences, int64 (5, 256).

    The rows are those within cells along rows, columns and diagonals, then those between cells along rows and columns.
    """
    height, width = plane.shape
    counts = np.zeros((5, 256), dtype=np.int64)
    for top in range(0, height, 2):
        for left in range(0, width, 2):
            a, b, c, d = plane[top, left], plane[top, left + 1], plane[top + 1, left], plane[top + 1, left + 1]
            counts[0, abs(a - b)] += 1
            counts[0, abs(c - d)] += 1
            counts[1, abs(a - c)] += 1
            counts[1, abs(b - d)] += 1
            counts[2, abs(a - d)] += 1
            counts[2, abs(b - c)] += 1
            if left + 2 < width:
                counts[3, abs(plane[top, left + 2] - b)] += 1
                counts[3, abs(plane[top + 1, left + 2] - d)] += 1
            if top + 2 < height:
                counts[4, abs(plane[top + 2, left] - c)] += 1
                counts[4, abs(plane[top + 2, left + 1] - d)] += 1
    return counts


_POWERS = np.arange(256.0)[:, None] ** np.array([1, 2, 4])

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
