"""How the colours of a photograph go together: demosaicing ties R, G and B; generators squash the tails."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from members.forensics.family import Family
from members.forensics.highpass import differences, ker_bohme
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
    red, green, blue = np.clip(differences(rgb, 1, axis=2), -LIMIT, LIMIT) + LIMIT
    side = len(VALUES)
    codes = ((red * side + green) * side + blue).ravel()
    joint = np.bincount(codes, minlength=side**3).reshape(side, side, side) / codes.size
    return np.concatenate([joint.ravel(), *(joint.sum(axis=axis).ravel() for axis in (2, 1, 0))])


def _correlations(planes: Levels) -> Floats:
    """Pearson correlation of the 3 x 3 residuals of each two planes; 0 where one is flat."""
    residuals = ker_bohme(planes).reshape(len(planes), -1).astype(np.float64)
    residuals -= residuals.mean(axis=1, keepdims=True)
    covariance: npt.NDArray[np.float64] = residuals @ residuals.T
    deviation = np.sqrt(covariance.diagonal())
    scale = np.outer(deviation, deviation)
    correlation = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.array([correlation[i, j] for i, j in combinations(range(len(planes)), 2)])


def _exposure(photograph: Photograph) -> Floats:
    """Shares of very bright and dark pixels (McCloskey and Albright, 2019), and which levels occur."""
    planes = [np.bincount(plane.ravel(), minlength=256) for plane in photograph.rgb]
    # All three are bright where the least is, and dark where the greatest is.
    least = np.bincount(photograph.rgb.min(axis=0).ravel(), minlength=256)
    greatest = np.bincount(photograph.rgb.max(axis=0).ravel(), minlength=256)
    bright = [counts[level:].sum() for level in BRIGHT for counts in (*planes, least)]
    dark = [counts[: level + 1].sum() for level in DARK for counts in (*planes, greatest)]
    shares = np.array([*bright, *dark]) / least.sum()
    return np.concatenate([shares, *(_used(plane) for plane in planes)])


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
