"""Leak checks of external out-of-fold predictions. Pure functions of arrays; nothing of files or the store."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import paired_standard_error, standard_error
from ensemble.core.metrics.scores import THRESHOLD, correct_probabilities, to_logits

_SIGNIFICANT = 3.0  # standard errors


class Pair(NamedTuple):
    """Probabilities of fake: float64 (training rows,) in the ledger's order and (test rows,) in the sample's."""

    oof: Array
    test: Array


def leak_checks(external: Pair, others: Pair | None, labels: Labels, n_folds: int) -> list[str]:
    """Return warnings that out-of-fold predictions may have been made by models that were fitted on these rows.

    Such predictions behave differently on the test rows, whose labels nobody has. `others` is the joint prediction of
    the other members, NaN where there is none, or None. Each warning is far beyond chance, but photographs of another
    kind in test/ can cause it too; a member that overfits little causes none.
    """
    warnings = _more_confident_on_training_rows(external, n_folds)
    common = np.zeros(len(labels), dtype=bool) if others is None else ~np.isnan(others.oof)
    if others is None or not common.any():
        return warnings
    mine, theirs = (Pair(pair.oof[common], pair.test) for pair in (external, others))
    return warnings + _agrees_more_on_training_rows(mine, theirs) + _gains_too_much(mine, theirs, labels[common])


def _more_confident_on_training_rows(mine: Pair, n_folds: int) -> list[str]:
    """Compare confidences. Test predictions may be means over n models, which shrinks logits by at most sqrt(n)."""
    confidences = [np.abs(to_logits(values)) for values in mine]
    oof, test = (float(values.mean()) for values in confidences)
    errors = [float(values.std()) / np.sqrt(len(values)) for values in confidences]
    shrinks = np.sqrt(n_folds)
    if oof - shrinks * test <= _SIGNIFICANT * np.hypot(errors[0], shrinks * errors[1]):
        return []
    return [
        f"it is more confident on the training rows (mean |logit| {oof:.2f}) than on the test rows ({test:.2f}); were "
        "these out-of-fold predictions made by models that were fitted on these rows?"
    ]


def _agrees_more_on_training_rows(mine: Pair, others: Pair) -> list[str]:
    oof, test = (
        correct_probabilities(values, (theirs >= THRESHOLD).astype(int))
        for values, theirs in zip(mine, others, strict=True)
    )
    if oof.mean() - test.mean() <= _SIGNIFICANT * np.hypot(_error(oof), _error(test)):
        return []
    return [
        f"it agrees with the other members on {oof.mean():.3f} of the training rows, but on {test.mean():.3f} of the "
        "test rows; its out-of-fold score may be too high"
    ]


def _gains_too_much(mine: Pair, others: Pair, labels: Labels) -> list[str]:
    """Compare the gain with the share of rows in which decisions differ, which limits it."""
    right, theirs = correct_probabilities(mine.oof, labels), correct_probabilities(others.oof, labels)
    differ = (mine.test >= THRESHOLD) != (others.test >= THRESHOLD)
    gain, limit = float(right.mean() - theirs.mean()), float(differ.mean())
    if gain - limit <= _SIGNIFICANT * np.hypot(paired_standard_error(right, theirs), _error(differ)):
        return []
    return [
        f"out-of-fold it is better than the other members together by {gain:.3f}, but its decisions differ from theirs "
        f"on only {limit:.3f} of the test rows, so it cannot be better by more than that there"
    ]


def _error(hits: NDArray[np.bool_]) -> float:
    """Compute the standard error of a proportion, with one hit and one miss added, so that it is never zero."""
    return standard_error(np.append(hits, [True, False]))
