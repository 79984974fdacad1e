"""Signs that out-of-fold predictions knew their labels. It knows arrays, and neither files nor the store."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import paired_standard_error, standard_error
from ensemble.core.metrics.scores import THRESHOLD, is_right, to_logits

_SMELL = 3.0  # standard errors


class Pair(NamedTuple):
    """Probabilities of fake: float64 (training rows,) in the ledger's order and (test rows,) in the sample's."""

    oof: Array
    test: Array


def leak_smells(mine: Pair, others: Pair | None, labels: Labels, n_folds: int) -> list[str]:
    """Signs that out-of-fold predictions knew their labels: on the test rows, whose labels nobody has, they change.

    `others` is what the other members together predict, NaN where they do not; None where there are none. Each sign
    is far beyond what chance would give an honest member, but photographs of another kind in test/ can give it too; a
    member that saw its rows and learned little from them gives none.
    """
    found = _surer_on_training_rows(mine, n_folds)
    there = np.zeros(len(labels), dtype=bool) if others is None else ~np.isnan(others.oof)
    if others is None or not there.any():
        return found
    seen, known = (Pair(pair.oof[there], pair.test) for pair in (mine, others))
    return found + _agrees_more_on_training_rows(seen, known) + _gains_too_much(seen, known, labels[there])


def _surer_on_training_rows(mine: Pair, n_folds: int) -> list[str]:
    """Test predictions may be means over n fold models: those of independent errors shrink by sqrt(n), others less."""
    sure = [np.abs(to_logits(values)) for values in mine]
    oof, test = (float(values.mean()) for values in sure)
    errors = [float(values.std()) / np.sqrt(len(values)) for values in sure]
    shrinks = np.sqrt(n_folds)
    if oof - shrinks * test <= _SMELL * np.hypot(errors[0], shrinks * errors[1]):
        return []
    return [
        f"it is surer of the training rows (mean |logit| {oof:.2f}) than of the test rows ({test:.2f}); were these "
        "out-of-fold predictions made by models that had seen the rows?"
    ]


def _agrees_more_on_training_rows(mine: Pair, others: Pair) -> list[str]:
    oof, test = (
        is_right(values, (theirs >= THRESHOLD).astype(int)) for values, theirs in zip(mine, others, strict=True)
    )
    if oof.mean() - test.mean() <= _SMELL * np.hypot(_error(oof), _error(test)):
        return []
    return [
        f"it agrees with the other members on {oof.mean():.3f} of the training rows, but on {test.mean():.3f} of the "
        "test rows; its out-of-fold score may be too good to be true"
    ]


def _gains_too_much(mine: Pair, others: Pair, labels: Labels) -> list[str]:
    """Of two members, one can be better on those rows only in which they part."""
    right, theirs = is_right(mine.oof, labels), is_right(others.oof, labels)
    parted = (mine.test >= THRESHOLD) != (others.test >= THRESHOLD)
    gain, room = float(right.mean() - theirs.mean()), float(parted.mean())
    if gain - room <= _SMELL * np.hypot(paired_standard_error(right, theirs), _error(parted)):
        return []
    return [
        f"out-of-fold it is better than the other members together by {gain:.3f}, but it parts from them on {room:.3f} "
        "of the test rows only, and cannot be better by more there"
    ]


def _error(found: NDArray[np.bool_]) -> float:
    """Standard error of a share, with one row of each kind added: none in twelve does not mean never."""
    return standard_error(np.append(found, [True, False]))
