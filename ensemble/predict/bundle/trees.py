"""Boosted trees read from their library's own text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array

LIGHTGBM: Final = "lightgbm.txt"


class LightgbmModel:
    """Trees in LightGBM's text format, of two classes.

    Parameters
    ----------
    files : dict of str to bytes
        `lightgbm.txt`, as its sha256 says: LightGBM would abort the process on a damaged one.
    """

    def __init__(self, files: Mapping[str, bytes], settings: Mapping[str, Any], threads: int) -> None:  # noqa: ARG002
        import lightgbm

        self._booster = lightgbm.Booster(model_str=files[LIGHTGBM].decode("utf-8"))
        self._threads = threads

    def __call__(self, X: NDArray[np.float32]) -> Array:
        """Return the probability of fake, float64 (n,), of columns (n, columns)."""
        return np.asarray(self._booster.predict(X, num_threads=self._threads), dtype=np.float64)
