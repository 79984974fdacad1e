"""Standard errors and intervals of scores. Pure functions of arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels


def standard_error(right: NDArray[np.bool_]) -> float:
    """Compute the standard error of an accuracy, sqrt(p (1 - p) / n)."""
    accuracy = float(right.mean())
    return math.sqrt(accuracy * (1 - accuracy) / len(right))


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """Return the 95% interval of a proportion (Wilson, 1927): within [0, 1], and never of zero width."""
    z, share = 1.96, right / n
    reach = z * z / n
    centre = (share + reach / 2) / (1 + reach)
    half = z * math.sqrt(share * (1 - share) / n + reach / (4 * n)) / (1 + reach)
    return max(centre - half, 0.0) if right else 0.0, min(centre + half, 1.0) if right < n else 1.0


def proportion_variance(hits: NDArray[np.bool_]) -> float:
    """Compute the variance of a proportion (n,), with one hit and one miss added (Laplace): never zero."""
    proportion = (int(hits.sum()) + 1) / (len(hits) + 2)
    return proportion * (1 - proportion) / len(hits)


def proportion_standard_error(hits: NDArray[np.bool_]) -> float:
    """Compute the standard error of a proportion of few rows (n,): never zero, NaN of no rows."""
    return math.sqrt(proportion_variance(hits)) if len(hits) else math.nan


def paired_standard_error(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Compute the standard error of the difference of two accuracies on the same rows."""
    difference = right.astype(float) - other.astype(float)
    return float(difference.std() / math.sqrt(len(difference)))


def auc_standard_error(scores: Array, labels: Labels) -> float:
    """Compute the standard error of an AUC (DeLong et al., 1988); NaN with fewer than two rows of a class."""
    fakes, reals = np.sort(scores[labels == 1]), np.sort(scores[labels != 1])
    if min(len(fakes), len(reals)) < 2:
        return math.nan
    of_fakes = _share_below(reals, fakes).var(ddof=1) / len(fakes)
    of_reals = _share_below(fakes, reals).var(ddof=1) / len(reals)
    return math.sqrt(of_fakes + of_reals)


def _share_below(others: Array, values: Array) -> Array:
    """Return the share of the sorted others that lie below each value; ties count half."""
    ranks = np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")
    shares: Array = ranks / (2 * len(others))
    return shares


def expected_auc_standard_error(auc: float, first: int, second: int) -> float:
    """Estimate the standard error of an AUC from the number of rows of each class (Hanley and McNeil, 1982).

    For an AUC without scores: 0.5, the mean of several folds, or rows of which copies count as one.
    """
    larger = max(auc, 1 - auc)
    one, two = larger / (2 - larger), 2 * larger**2 / (1 + larger)
    variance = larger * (1 - larger) + (first - 1) * (one - larger**2) + (second - 1) * (two - larger**2)
    return math.sqrt(max(variance, 0.0) / (first * second))
