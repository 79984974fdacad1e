"""Doubts about members: predictions turned around, members that are copies of others, leaks seen at import."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ensemble.core.arrays import Array, Labels, Logits
from ensemble.core.metrics.intervals import expected_auc_standard_error
from ensemble.core.metrics.scores import area_under_curve
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions

_SIGNIFICANT = 3.0  # standard errors below one half
_FIRST_ROWS = 100
_EQUAL = 1e-4  # of logits: single precision, and the mean over folds


def doubts_of(store: OofStore, predictions: Predictions) -> list[str]:
    """Return what speaks against members, a sentence each."""
    names, labels = predictions.members, predictions.ledger.labels
    turned = [
        f"{name}: {doubt}"
        for column, name in enumerate(names)
        for doubt in turned_around(predictions.probabilities(column), labels)
    ]
    copies = [
        f"{names[two]} equals {names[one]} in every row; is the seed ignored?"
        for one, two in combinations(range(len(names)), 2)
        if are_equal(predictions, one, two)
    ]
    leaks = [f"{name}: {warning}" for name in names for warning in store.origin(name).get("smells", [])]
    return [*leaks, *turned, *copies]


def turned_around(probabilities: Array, labels: Labels) -> list[str]:
    """Return a sentence if predictions are below chance by more than chance; NaN stands for a missing fold."""
    rows = ~np.isnan(probabilities)
    fakes = int((labels[rows] == 1).sum())
    if not 0 < fakes < rows.sum():
        return []
    area = area_under_curve(probabilities[rows], labels[rows])
    error = expected_auc_standard_error(0.5, fakes, int(rows.sum()) - fakes)
    if area >= 0.5 - _SIGNIFICANT * error:
        return []
    return [f"its AUC is {area:.2f}, below chance: is it inverted? (import it again with --flip, if it was imported)"]


def are_equal(predictions: Predictions, one: int, two: int) -> bool:
    """Return whether two members predict the same in every row."""
    first = predictions.oof_logits[:_FIRST_ROWS]  # most pairs differ here already
    return close(first[:, one], first[:, two]) and all(
        close(logits[:, one], logits[:, two]) for logits in (predictions.oof_logits, predictions.test_logits)
    )


def close(one: Logits, two: Logits) -> bool:
    """Return whether logits are equal but for rounding."""
    return bool(np.allclose(one, two, rtol=0, atol=_EQUAL, equal_nan=True))
