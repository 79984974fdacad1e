"""The doubt gate of a bundle: which columns it reads, and the distance beyond which nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Pixels
from ensemble.core.parallel import blocks
from ensemble.core.storage.files import Location
from ensemble.engine.features.table import FeatureTable, Photographs
from ensemble.engine.tasks.features import TableRequest
from ensemble.predict.bundled_ensemble import BundledEnsemble
from ensemble.predict.doubt import DoubtGate

HELD_OUT_SHARE: Final = 0.01  # of held-out photographs beyond the threshold
MOST_ROWS: Final = 2_048  # training photographs whose columns are read
_AT_ONCE: Final = 64


@dataclass(frozen=True)
class Gates:
    """The gate of the bundle, and one for each fold that did not see it.

    Attributes
    ----------
    threshold : float
        Distance that a stated share of the held-out photographs exceeds.
    thresholds : float64 (folds,)
        The same, set without the photographs of a fold.
    """

    gate: DoubtGate
    by_fold: list[DoubtGate]
    threshold: float
    thresholds: Array

    def doubts(self, columns: NDArray[np.float32], folds: NDArray[np.int64]) -> Array:
        """Return the distance of each row, by the gate of its fold, in units of that fold's threshold."""
        return _distances(self.by_fold, columns, folds) / self.thresholds[folds]


def fit_gates(columns: NDArray[np.float32], folds: NDArray[np.int64], n_folds: int) -> Gates | None:
    """Fit on columns (rows, columns) of training photographs of these folds (rows,); None if all are alike."""
    by_fold = [DoubtGate.fit(columns[folds != fold]) for fold in range(n_folds)]
    distances = _distances(by_fold, columns, folds)
    threshold = float(np.quantile(distances, 1 - HELD_OUT_SHARE))
    thresholds = np.array([np.quantile(distances[folds != fold], 1 - HELD_OUT_SHARE) for fold in range(n_folds)])
    if min(threshold, *thresholds) <= 0:
        return None
    return Gates(DoubtGate.fit(columns), by_fold, threshold, thresholds)


def _distances(gates: Sequence[DoubtGate], columns: NDArray[np.float32], folds: NDArray[np.int64]) -> Array:
    """Return the distance of each row by the gate of its fold, which was fitted without it."""
    found = np.empty(len(columns))
    for fold in np.unique(folds):
        found[folds == fold] = gates[fold](columns[folds == fold])
    return found


def training_columns(
    request: TableRequest,
    index: int,
    ensemble: BundledEnsemble,
    pixels: Pixels,
    rows: NDArray[np.intp],
    cache: Location,
) -> NDArray[np.float32]:
    """Return columns of some training photographs: from the cache of features, or computed again.

    Parameters
    ----------
    request : TableRequest
        The features, of that `index` in the ensemble.
    pixels : uint8 (photographs, height, width, 3)
        All photographs of the competition, the training rows first.
    """
    table = FeatureTable(request, Photographs(pixels), cache)
    if table.complete:
        values: NDArray[np.float32] = np.asarray(table.values()[rows])
        return values
    parts = blocks(len(rows), _AT_ONCE)
    return np.concatenate([ensemble.columns(index, np.asarray(pixels[rows[part]])) for part in parts])
