"""Base class of classifiers over photographs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from members.photographs import Photographs
from members.training.history import Report


class PhotographClassifier(ClassifierMixin, BaseEstimator):
    """A classifier that reads photographs a batch at a time, and reports the progress of its fit."""

    classes_: npt.NDArray[Any]

    reads_rows_lazily: ClassVar[bool] = True
    """Of `X` only `len(X)`, `X.shape`, `X.dtype` and `X[batch of rows]` are used."""

    on_progress: Report | None = None
    """If set on an instance, `fit` calls it about once a second with the fraction done and a short text."""

    def check_parameters(self) -> None:
        """Raise a ValueError for parameters that are wrong whatever the photographs are."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Delete the state of an earlier fit, so that a classifier whose fit fails does not look fitted."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def predict_proba(self, X: Photographs) -> npt.NDArray[np.float64]:
        """Return the probability of every class, float64 (n, k), for uint8 (n, height, width, 3)."""
        raise NotImplementedError

    def predict(self, X: Photographs) -> npt.NDArray[Any]:
        """Return the most probable label of every photograph; on a tie the later class, so that 0.5 is fake."""
        backwards = self.predict_proba(X)[:, ::-1].argmax(axis=1)
        labels: npt.NDArray[Any] = self.classes_[len(self.classes_) - 1 - backwards]
        return labels
