"""Probe for shortcuts: how well a shallow tree separates the classes by facts that should not matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from ensemble.core.metrics.intervals import auc_standard_error, expected_auc_standard_error
from ensemble.core.metrics.scores import area_under_curve

ALARM = 0.6  # area under the curve
CLEAR = 3.5  # standard errors over chance
_LEAST_SHARE, _MOST_VALUES = 0.01, 20  # of rows, of values that get a column of their own
_SMALLEST_LEAF = 0.02  # share of rows: a rule about fewer is not worth an alarm


@dataclass(frozen=True)
class Leak:
    """How well a tree separates the classes, and by which facts.

    Attributes
    ----------
    area : float
        Area under the ROC curve of rows that the tree has not seen; 0.5 where there is nothing to split by.
    error : float
        Its standard error (Hanley and McNeil, 1982).
    chance : float
        The standard error of an area of 0.5, of as many rows.
    facts : tuple of str
        What a tree on all rows splits by, first split first.
    """

    area: float
    error: float
    chance: float
    facts: tuple[str, ...]

    @property
    def is_clear(self) -> bool:
        """Whether it is clear of chance."""
        return self.area > 0.5 + CLEAR * self.chance

    @property
    def is_alarming(self) -> bool:
        """Whether it is large too."""
        return self.is_clear and self.area > ALARM

    def __str__(self) -> str:
        return f"AUC {self.area:.3f} ± {self.error:.3f}"


def tree_leak(facts: pd.DataFrame, labels: NDArray[np.int64], folds: NDArray[np.int64], depth: int = 2) -> Leak:
    """Fit trees of a small depth, each tested on the fold that it has not seen.

    Parameters
    ----------
    facts : DataFrame (rows, facts)
        Numbers without NaN; columns have readable names.
    labels, folds : int64 (rows,)
    """
    varying = facts.loc[:, facts.max() > facts.min()].astype(np.float64)
    scores = np.zeros(len(labels))
    if varying.shape[1]:
        for fold in np.unique(folds):
            heldout = folds == fold
            tree = _tree(depth, heldout.size - heldout.sum()).fit(varying[~heldout], labels[~heldout])
            scores[heldout] = tree.predict_proba(varying[heldout])[:, 1]
    area = area_under_curve(scores, labels) if varying.shape[1] else 0.5
    fakes = int(labels.sum())
    chance = expected_auc_standard_error(0.5, fakes, len(labels) - fakes)
    error = auc_standard_error(scores, labels) if varying.shape[1] else chance
    return Leak(float(area), error, chance, _splits(varying, labels, depth))


def indicators(text: pd.Series[str], prefix: str) -> pd.DataFrame:
    """Return a column of 0 and 1 for each value that enough rows have, named `prefix value`."""
    shares = text.value_counts(normalize=True)
    values = [value for value, share in shares.head(_MOST_VALUES).items() if share >= _LEAST_SHARE]
    return pd.DataFrame({f"{prefix} {value or 'none'}": (text == value).astype(float) for value in values})


def _tree(depth: int, rows: int) -> DecisionTreeClassifier:
    leaf = max(5, int(_SMALLEST_LEAF * rows))
    return DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=0)


def _splits(facts: pd.DataFrame, labels: NDArray[np.int64], depth: int) -> tuple[str, ...]:
    if not facts.shape[1]:
        return ()
    tree = _tree(depth, len(labels)).fit(facts, labels).tree_
    used = [facts.columns[feature] for feature in tree.feature if feature >= 0]
    return tuple(dict.fromkeys(used))
