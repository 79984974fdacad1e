"""Statistics of a layer's channels over a photograph, from their means and covariances. NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

Floats = npt.NDArray[np.float32]

SHRINKAGE: Final = 0.1  # of the mean variance of a layer's channels
TINY: Final = 1e-6  # where nothing varies at all


def _deviations(_: Floats, covariances: Floats) -> Floats:
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    return np.sqrt(np.maximum(variances, 0))


def _upper_triangles(_: Floats, covariances: Floats) -> Floats:
    row, column = np.triu_indices(covariances.shape[1])
    return covariances[:, row, column]


def _log_covariances(means: Floats, covariances: Floats) -> Floats:
    """Return the matrix logarithms, scaled so that distances of columns are distances of matrices.

    Logarithms flatten the space of covariances, so that a linear model may follow (log-Euclidean metric: Arsigny et
    al., 2006; as pooling: Ionescu et al., 2015). A tenth of the mean variance on the diagonal keeps directions in which
    hardly anything varies from dominating.
    """
    exact, unit = covariances.astype(np.float64), np.eye(covariances.shape[1])
    variances = np.diagonal(exact, axis1=1, axis2=2).mean(axis=1)
    with _pools().limit(limits=1, user_api="blas"):  # of so small matrices threads only wait for each other
        values, vectors = np.linalg.eigh(exact + (SHRINKAGE * variances + TINY)[:, None, None] * unit)
        logarithms = (vectors * np.log(values)[:, None, :]) @ vectors.transpose(0, 2, 1)
    scaled = logarithms * (math.sqrt(2) + (1 - math.sqrt(2)) * unit)
    return _upper_triangles(means, scaled.astype(np.float32))


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


# A new statistic is a new line here: means (n, channels) and covariances (n, channels, channels) to (n, columns).
STATISTICS: Final[dict[str, Callable[[Floats, Floats], Floats]]] = {
    "mean": lambda means, _: means,
    "deviation": _deviations,
    "covariance": _upper_triangles,
    "log_covariance": _log_covariances,
}
