"""Joint statistics of the colours: demosaicing correlates R, G and B; generators compress the tails."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from members.forensics.compiled import compiled_or
from members.forensics.family import Family
from members.forensics.highpass import ker_bohme
from members.forensics.photograph import CHANNELS, Floats, Levels, Photograph

RGB = ("R", "G", "B")
LIMIT = 2
VALUES = tuple(f"{value:+d}" for value in range(-LIMIT, LIMIT + 1))
BRIGHT, DARK = (250, 254), (5, 1)


def colour(photograph: Photograph) -> Floats:
    """Return the cross-channel co-occurrences, the residual correlations and the exposure."""
    correlations = [_correlations(planes) for planes in (photograph.rgb_levels, photograph.ycc_fine)]
    return np.concatenate([_cross_channel(photograph.rgb_levels), *correlations, _exposure(photograph)])


def _cross_channel(rgb: Levels) -> Floats:
    """Joint shares of clipped horizontal differences in R, G and B, then in each two of them.

    After the cross-band co-occurrences of Barni et al. (2020), on residuals.
    """
    side = len(VALUES)
    counts = _count_joint(rgb, LIMIT).reshape(side, side, side)
    joint = counts / counts.sum()
    return np.concatenate([joint.ravel(), *(joint.sum(axis=axis).ravel() for axis in (2, 1, 0))])


def _count_joint_plain(rgb: Levels, limit: int) -> npt.NDArray[np.int64]:
    side = 2 * limit + 1
    r, g, b = np.clip(np.diff(rgb, axis=2), -limit, limit)
    codes = (side * r + g) * side + b + side**3 // 2
    return np.bincount(codes.ravel(), minlength=side**3)


@compiled_or(_count_joint_plain)
def _count_joint(rgb: Levels, limit: int) -> npt.NDArray[np.int64]:
    """Count the pixels with each three clipped differences to the left neighbour, in R, G and B."""
    side = 2 * limit + 1
    counts = np.zeros(side**3, dtype=np.int64)
    for row in range(rgb.shape[1]):
        for column in range(1, rgb.shape[2]):
            code = 0
            for plane in range(3):
                difference = rgb[plane, row, column] - rgb[plane, row, column - 1]
                code = side * code + min(max(difference, -limit), limit) + limit
            counts[code] += 1
    return counts


def _correlations(planes: Levels) -> Floats:
    """Pearson correlation of the 3 x 3 residuals of each two planes; 0 where one is flat."""
    sums, products = _sums_and_products(ker_bohme(planes).reshape(len(planes), -1))
    count = (planes.shape[1] - 2) * (planes.shape[2] - 2)
    covariance = products - np.outer(sums, sums) / count
    deviation = np.sqrt(covariance.diagonal())
    scale = np.outer(deviation, deviation)
    correlation = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.array([correlation[i, j] for i, j in combinations(range(len(planes)), 2)])


def _sums_and_products_plain(residuals: Levels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    rows = residuals.astype(np.float64)  # which holds these whole numbers up to some hundred million pixels
    return rows.sum(axis=1).astype(np.int64), (rows @ rows.T).astype(np.int64)


@compiled_or(_sums_and_products_plain)
def _sums_and_products(residuals: Levels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Sum of each row, and of each product of two rows, exactly."""
    sums, products = np.zeros(3, dtype=np.int64), np.zeros((3, 3), dtype=np.int64)
    for i in range(3):
        for j in range(i, 3):
            product = 0
            for column in range(residuals.shape[1]):
                product += int(residuals[i, column]) * int(residuals[j, column])
            products[i, j] = products[j, i] = product
        total = 0
        for column in range(residuals.shape[1]):
            total += int(residuals[i, column])
        sums[i] = total
    return sums, products


def _exposure(photograph: Photograph) -> Floats:
    """Shares of very bright and dark pixels (McCloskey and Albright, 2019), and which levels occur."""
    *planes, least, greatest = _count_levels(photograph.rgb)
    # All three are bright where the least is, and dark where the greatest is.
    bright = [counts[level:].sum() for level in BRIGHT for counts in (*planes, least)]
    dark = [counts[: level + 1].sum() for level in DARK for counts in (*planes, greatest)]
    shares = np.array([*bright, *dark]) / least.sum()
    return np.concatenate([shares, *(_used(plane) for plane in planes)])


def _count_levels_plain(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    planes = (*rgb, rgb.min(axis=0), rgb.max(axis=0))
    return np.stack([np.bincount(plane.ravel(), minlength=256) for plane in planes])


@compiled_or(_count_levels_plain)
def _count_levels(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count how often each level occurs in R, in G, in B, as the least of the three and as the greatest: (5, 256)."""
    counts = np.zeros((5, 256), dtype=np.int64)
    for row in range(rgb.shape[1]):
        for column in range(rgb.shape[2]):
            r, g, b = rgb[0, row, column], rgb[1, row, column], rgb[2, row, column]
            counts[0, r] += 1
            counts[1, g] += 1
            counts[2, b] += 1
            counts[3, min(r, g, b)] += 1
            counts[4, max(r, g, b)] += 1
    return counts


def _used(counts: npt.NDArray[np.intp]) -> Floats:
    used = np.flatnonzero(counts)
    return np.array([used[0], used[-1], len(used)], dtype=np.float64)


def _joint(planes: tuple[str, ...]) -> list[str]:
    """Names of the cells of one joint histogram: `RG/joint_-1+2`."""
    return [f"{''.join(planes)}/joint_{''.join(values)}" for values in product(VALUES, repeat=len(planes))]


FAMILY = Family(
    (
        *(name for planes in (RGB, *combinations(RGB, 2)) for name in _joint(planes)),
        *(f"{a}{b}/correlation" for planes in (RGB, CHANNELS) for a, b in combinations(planes, 2)),
        *(f"{plane}/from_{level}" for level in BRIGHT for plane in (*RGB, "RGB")),
        *(f"{plane}/upto_{level}" for level in DARK for plane in (*RGB, "RGB")),
        *(f"{plane}/{name}" for plane in RGB for name in ("darkest", "brightest", "distinct")),
    ),
    colour,
)
