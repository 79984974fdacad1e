"""A cheap linear model for audits, cross-validated: what can be told from a table of columns, and how surely.

Ridge regression on standardised columns, which for two classes is discriminant analysis with a shrunk covariance.
One fit serves many targets, so twenty permutations of the labels cost as much as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.metrics import area_under_curve, auc_standard_error
from ensemble.threads import threads

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

MOST_ROWS = 20_000  # more tell an audit nothing new
FOLDS = 5
ALPHA = 200.0  # of the ridge; what serves does not grow with the rows: noise over the size of the effects
CLEAR = 3.0  # standard errors that one comparison has to be away from chance


@dataclass(frozen=True)
class Auc:
    """An area under the ROC curve, its standard error, and the rows of both sides."""

    value: float
    standard_error: float
    first: int
    second: int

    def above_chance(self, errors: float = CLEAR) -> bool:
        """Whether it lies above 0.5 by more than so many of the standard errors that chance alone would give."""
        return self.value > self.smallest_found(errors)

    def smallest_found(self, errors: float = CLEAR) -> float:
        """The least AUC that would lie above chance with so many rows."""
        return 0.5 + errors * auc_standard_error(0.5, self.first, self.second)

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.standard_error:.3f}"


def sampled(rows: int, most: int, rng: np.random.Generator) -> Rows:
    """All rows where they are few, else as many as `most`, drawn by chance: sorted (rows,)."""
    return np.arange(rows) if rows <= most else np.sort(rng.choice(rows, most, replace=False))


def dealt(strata: NDArray[np.int64], rng: np.random.Generator, folds: int = FOLDS) -> NDArray[np.int64]:
    """Folds by chance, in which each stratum has its share: int64 (n,)."""
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    numbers = np.empty(len(strata), np.int64)
    numbers[order] = np.arange(len(strata)) % folds
    return numbers


def cross_validated(
    columns: Floats, targets: NDArray[np.float64], folds: NDArray[np.int64], fit: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Scores of every row by a model of the other folds' rows; scaling, too, is learned from those alone.

    Parameters
    ----------
    columns : float32 (n, columns)
    targets : float64 (n, targets)
        -1 or 1; what rows that are not fitted on hold is never read.
    folds : int64 (n,)
    fit : bool (n,), optional
        Rows that may be learned from; default all.

    Returns
    -------
    float64 (n, targets)
        Above 0 for the class 1.
    """
    from sklearn.linear_model import Ridge  # takes a second
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores = np.zeros(targets.shape)
    with threads(1):  # the same digits on every machine, and the faster way for matrices of this size
        for fold in np.unique(folds):
            heldout = folds == fold
            learned = ~heldout if fit is None else ~heldout & fit
            model = make_pipeline(StandardScaler(), Ridge(alpha=ALPHA))
            model.fit(columns[learned], targets[learned])
            scores[heldout] = model.predict(columns[heldout]).reshape(-1, targets.shape[1])
    return scores


def told_apart(first: Floats, second: Floats, rng: np.random.Generator) -> tuple[Auc, NDArray[np.float64]]:
    """How well a model tells rows of two tables apart: cross-validated AUC, and each row's score (first, then second).

    The AUC is taken within each fold, so that scores of different models are never compared: exactly 0.5 is
    expected where both tables are drawn from one source.
    """
    columns = np.concatenate([first, second])
    sides = np.repeat(np.array([0, 1], np.int64), [len(first), len(second)])
    folds = dealt(sides, rng)
    weight = np.where(sides == 1, 1.0, -1.0)[:, None]
    scores = cross_validated(columns, weight, folds)[:, 0]
    areas = [area_under_curve(scores[folds == fold], sides[folds == fold]) for fold in range(FOLDS)]
    value = float(np.mean(areas))
    return Auc(value, auc_standard_error(value, len(first), len(second)), len(first), len(second)), scores
