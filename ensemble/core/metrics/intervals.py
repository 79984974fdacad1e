"""Standard errors and intervals of scores. Pure functions of arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels


def standard_error(right: NDArray[np.bool_]) -> float:
    """Standard error of an accuracy, sqrt(p (1 - p) / n)."""
    accuracy = float(right.mean())
    return math.sqrt(accuracy * (1 - accuracy) / len(right))


def wilson_interval(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """95% interval of a share (Wilson, 1927): within [0, 1], and of some width where all are right, too."""
    share, reach = right / n, z * z / n
    centre = (share + reach / 2) / (1 + reach)
    half = z * math.sqrt(share * (1 - share) / n + reach / (4 * n)) / (1 + reach)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def share_variance(found: NDArray[np.bool_]) -> float:
    """Variance of a share (n,), with one row of each kind added to it: none among three does not mean never."""
    share = (int(found.sum()) + 1) / (len(found) + 2)
    return share * (1 - share) / len(found)


def share_error(found: NDArray[np.bool_]) -> float:
    """Standard error of a share of few rows (n,), which is not zero where none was found; NaN of no rows."""
    return math.sqrt(share_variance(found)) if len(found) else math.nan


def paired_standard_error(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Standard error of the difference of two accuracies on the same rows: only the rows in which they differ count."""
    difference = right.astype(float) - other.astype(float)
    return float(difference.std() / math.sqrt(len(difference)))


def hanley_mcneil_error(area: float, first: int, second: int) -> float:
    """Standard error of an AUC over so many rows of each class (Hanley and McNeil, 1982), above and below one half."""
    larger = max(area, 1 - area)
    one, two = larger / (2 - larger), 2 * larger**2 / (1 + larger)
    variance = larger * (1 - larger) + (first - 1) * (one - larger**2) + (second - 1) * (two - larger**2)
    return math.sqrt(max(variance, 0.0) / (first * second))


def delong_error(scores: Array, labels: Labels) -> float:
    """Return the standard error of an AUC from its scores (DeLong et al., 1988); NaN with fewer than two of a class."""
    fakes, reals = np.sort(scores[labels == 1]), np.sort(scores[labels != 1])
    if min(len(fakes), len(reals)) < 2:
        return math.nan
    above = _share_below(reals, fakes).var(ddof=1) / len(fakes)
    below = _share_below(fakes, reals).var(ddof=1) / len(reals)
    return math.sqrt(above + below)


def _share_below(others: Array, values: Array) -> Array:
    """Return the share of the sorted others below each value; ties count half."""
    ranks = np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")
    shares: Array = ranks / (2 * len(others))
    return shares
