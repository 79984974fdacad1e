"""The honest score of every blender, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.base import Array, Blender, Labels, Logits
from ensemble.metrics import Scores, is_right, paired_standard_error, score, to_probabilities


@dataclass(frozen=True)
class Evaluation:
    """One blender, fitted on all rows, with its score in-sample and nested.

    Attributes
    ----------
    nested : float64 (rows,)
        Logits of rows that the weights behind them never saw.
    in_sample_scores, nested_scores : Scores
        The first flatters: its weights were fitted on the very rows that it scores.
    """

    blender: Blender
    nested: Array
    in_sample: Array
    in_sample_scores: Scores
    nested_scores: Scores

    @property
    def title(self) -> str:
        """The blender's name."""
        return self.blender.title

    @property
    def optimism(self) -> float:
        """In-sample minus nested accuracy."""
        return self.in_sample_scores.accuracy - self.nested_scores.accuracy


def evaluate(make: Callable[[], Blender], logits: Logits, labels: Labels, folds: NDArray[np.int64]) -> Evaluation:
    """Fit a blender on all rows, and score it nested: fitted on the other folds, scored on this one."""
    blender = make().fit(logits, labels)
    nested = np.empty(len(labels))
    for fold in np.unique(folds):
        here = folds == fold
        nested[here] = make().fit(logits[~here], labels[~here]).decision_function(logits[here])
    in_sample = blender.decision_function(logits)
    return Evaluation(
        blender,
        nested,
        in_sample,
        score(to_probabilities(in_sample), labels),
        score(to_probabilities(nested), labels),
    )


def choose(evaluations: Sequence[Evaluation], labels: Labels) -> tuple[Evaluation, str]:
    """The simplest blender within one standard error of the best, and the reason in words.

    `evaluations` go from simple to complex. The standard error is that of the paired difference: both decide the
    same rows, so only rows on which they differ count.
    """
    best = max(evaluations, key=lambda e: e.nested_scores.accuracy)
    for evaluation in evaluations:
        gap = best.nested_scores.accuracy - evaluation.nested_scores.accuracy
        rights = [is_right(to_probabilities(e.nested), labels) for e in (best, evaluation)]
        error = paired_standard_error(*rights)
        if gap <= error:
            return evaluation, _reason(evaluation, best, gap, error)
    raise AssertionError("the best blender is within one standard error of itself")


def _reason(chosen: Evaluation, best: Evaluation, gap: float, error: float) -> str:
    if chosen is best:
        return f"{chosen.title} has the best nested accuracy; nothing simpler is within one standard error of it"
    return (
        f"{chosen.title} is the simplest within one standard error of the best: "
        f"{best.title} is ahead by {gap:.4f}, with a paired standard error of {error:.4f}"
    )
