"""Linear models as numbers: what scikit-learn calls a scaler, a linear model and its calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from ensemble.core.arrays import Array
from ensemble.core.metrics.scores import to_probabilities

LINEAR: Final = "linear.safetensors"


class LinearModel:
    """The mean of several sigmoids of linear decisions: expit(slope * (x . coef + intercept) + offset).

    Parameters
    ----------
    files : dict of str to bytes
        `linear.safetensors`, float64: `coef` (models, columns), `intercept`, `slope` and `offset` (models,).
    """

    def __init__(self, files: Mapping[str, bytes], settings: Mapping[str, Any], threads: int) -> None:  # noqa: ARG002
        numbers = safetensors.numpy.load(files[LINEAR])
        self._coef: Array = numbers["coef"]
        self._intercept, self._slope, self._offset = (numbers[name] for name in ("intercept", "slope", "offset"))
        if not len(self._coef) == len(self._intercept) == len(self._slope) == len(self._offset) > 0:
            raise ValueError("the numbers of a linear model do not belong together")

    def __call__(self, X: NDArray[np.float32]) -> Array:
        """Return the probability of fake, float64 (n,), of columns (n, columns)."""
        decisions = X.astype(np.float64) @ self._coef.T + self._intercept
        probabilities: Array = to_probabilities(self._slope * decisions + self._offset).mean(axis=1)
        return probabilities


def linear_file(coef: Array, intercept: Array, slope: Array, offset: Array) -> bytes:
    """Return the content of `linear.safetensors`."""
    numbers = {"coef": coef, "intercept": intercept, "slope": slope, "offset": offset}
    return safetensors.numpy.save({name: np.ascontiguousarray(each, np.float64) for name, each in numbers.items()})
