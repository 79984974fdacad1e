"""A cheap linear model for audits, cross-validated: what can be learned from a table of columns, with its error.

Ridge regression on standardised columns, which for two classes is discriminant analysis with a shrunk covariance.
One fit serves many targets, so twenty permutations of the labels cost as much as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.core.metrics.intervals import expected_auc_standard_error
from ensemble.core.metrics.scores import area_under_curve
from ensemble.core.threads import threads

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

FEWEST = 30  # rows of a side that are compared at all
MOST_ROWS = 20_000  # more change no verdict
FOLDS = 5
TIMES = 50  # that labels are shuffled, to see what chance does
ALPHA = 200.0  # of the ridge; the best value does not grow with the rows: noise over the size of the effects
CLEAR = 3.0  # standard errors that one comparison has to be away from chance


@dataclass(frozen=True)
class Auc:
    """An area under the ROC curve, its standard error, and the rows of both sides; copies count as one.

    `chance` is the standard error of an AUC of 0.5, where it was measured; that of a cross-validated model is larger
    than that of fixed scores, which is taken where it is None.
    """

    value: float
    standard_error: float
    first: int
    second: int
    chance: float | None = None

    def above_chance(self, errors: float = CLEAR) -> bool:
        """Whether it lies above 0.5 by more than so many of the standard errors that chance alone would give."""
        return self.value > self.smallest_found(errors)

    def smallest_found(self, errors: float = CLEAR) -> float:
        """Return the smallest AUC that would be above chance with so many rows."""
        fixed = expected_auc_standard_error(0.5, self.first, self.second)
        return 0.5 + errors * max(fixed, self.chance or 0.0)

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.standard_error:.3f}"


def sampled(rows: int, most: int, rng: np.random.Generator) -> Rows:
    """Return all rows, or a random sample of `most` where there are more: sorted (rows,)."""
    return np.arange(rows) if rows <= most else np.sort(rng.choice(rows, most, replace=False))


def random_folds(
    strata: NDArray[np.int64], rng: np.random.Generator, folds: int = FOLDS, groups: NDArray[np.intp] | None = None
) -> NDArray[np.int64]:
    """Draw folds in which each stratum has its share, and no group is split: int64 (n,)."""
    groups = np.arange(len(strata)) if groups is None else groups
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    order = rng.permutation(len(first))
    order = order[np.argsort(strata[first[order]], kind="stable")]
    numbers = np.empty(len(first), np.int64)
    numbers[order] = np.arange(len(first)) % folds
    numbered: NDArray[np.int64] = numbers[group]
    return numbered


def one_of_each(groups: NDArray[np.intp], rng: np.random.Generator) -> Rows:
    """Draw one row of each group: copies would count as evidence several times. Sorted (groups,)."""
    order = rng.permutation(len(groups))
    return np.sort(order[np.unique(groups[order], return_index=True)[1]])


def effective(groups: NDArray[np.intp]) -> int:
    """Return the effective number of photographs, where those of a group are copies (Kish, 1965)."""
    sizes = np.unique(groups, return_counts=True)[1].astype(np.float64)
    return max(round(sizes.sum() ** 2 / (sizes**2).sum()), 1) if len(sizes) else 0


def cross_validated(
    columns: Floats, targets: NDArray[np.float64], folds: NDArray[np.int64], fit: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Score every row by a model of the other folds' rows; scaling too is learned from those alone.

    Parameters
    ----------
    columns : float32 (n, columns)
    targets : float64 (n, targets)
        Above 0 for the class 1, below for the other; what rows that are not fitted on hold is never read.
    folds : int64 (n,)
    fit : bool (n,), optional
        Rows that may be learned from; default all.

    Returns
    -------
    float64 (n, targets)
        Above 0 for the class 1.
    """
    if not np.isfinite(columns).all():
        raise ValueError("columns that are not finite cannot be learned from")
    scores = np.zeros(targets.shape)
    with threads(1):  # the same digits on every machine, and the faster way for matrices of this size
        for fold in np.unique(folds):
            heldout = folds == fold
            learned = ~heldout if fit is None else ~heldout & fit
            scores[heldout] = _ridge(columns[learned], targets[learned], columns[heldout])
    return scores


def _ridge(columns: Floats, targets: NDArray[np.float64], asked: Floats) -> NDArray[np.float64]:
    """Fit ridge regression on standardised columns; predict other rows."""
    # scikit-learn's takes a second to import, and every blend audits its members' predictions.
    mean = columns.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread: Floats = np.array(columns.std(axis=0, dtype=np.float64), np.float32)
    spread[spread == 0] = 1.0  # a constant column says nothing
    scaled, centre = (columns - mean) / spread, targets.mean(axis=0)
    products = scaled.T @ scaled, scaled.T @ (targets - centre).astype(np.float32)
    weights = np.linalg.solve(products[0] + ALPHA * np.eye(scaled.shape[1]), products[1])
    predicted: NDArray[np.float64] = (asked - mean) / spread @ weights + centre
    return predicted


def within_folds(scores: NDArray[np.float64], labels: NDArray[np.int64], folds: NDArray[np.int64]) -> float:
    """Return the mean of the folds' AUCs: scores of different models are never compared, so chance gives exactly 0.5.

    NaN where no fold has both classes.
    """
    areas = [area_under_curve(scores[folds == fold], labels[folds == fold]) for fold in np.unique(folds)]
    known = [area for area in areas if not np.isnan(area)]
    return float(np.mean(known)) if known else float("nan")


def separability(
    first: Floats, second: Floats, rng: np.random.Generator, groups: NDArray[np.intp] | None = None
) -> Auc:
    """Train a model to separate two tables, and return its cross-validated AUC.

    The AUC is taken within each fold: exactly 0.5 is expected where both tables are drawn from one source.
    Rows of a group (first, then second) are in one fold.
    """
    columns = np.concatenate([first, second])
    sides = np.repeat(np.array([0, 1], np.int64), [len(first), len(second)])
    folds = random_folds(sides, rng, groups=groups)
    tried = np.column_stack([sides, *(rng.permutation(sides) for _ in range(TIMES))])
    areas = learnability(columns, tried, folds)
    error = expected_auc_standard_error(areas[0], len(first), len(second))
    return Auc(areas[0], error, len(first), len(second), float(np.nanstd(areas[1:], ddof=1)))


def learnability(columns: Floats, tried: NDArray[np.int64], folds: NDArray[np.int64]) -> list[float]:
    """Learn each column of labels 0 or 1 (n, targets), and return the cross-validated AUC of each."""
    scores = cross_validated(columns, np.where(tried == 1, 1.0, -1.0), folds)
    return [within_folds(scores[:, column], tried[:, column], folds) for column in range(tried.shape[1])]
