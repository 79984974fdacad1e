"""Which blender is shipped: the simplest that is as good as the best, as far as the rows can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.base import Array
from ensemble.blend.nested import Evaluation, Problem
from ensemble.metrics import is_right, paired_standard_error, to_probabilities


@dataclass(frozen=True)
class Choice:
    """The chosen blender, why, and the score of choosing.

    Attributes
    ----------
    nested : float64 (rows,)
        Logits of a blend whose blender was chosen without the fold that it decides. Scored, they have paid for the
        choice as well, which the chosen blender's own nested score has not.
    """

    chosen: Evaluation
    reason: str
    nested: Array


def choose(evaluations: Sequence[Evaluation], problem: Problem) -> Choice:
    """The simplest blender within one standard error of the best; `evaluations` go from simple to complex.

    The standard error is that of the paired difference: both decide the same rows, so only rows on which they differ
    count. So nothing is chosen that is below the plain mean by more than one, as long as the mean competes.
    """
    rights = [is_right(to_probabilities(evaluation.nested), problem.labels) for evaluation in evaluations]
    place, best = _simplest(rights)
    nested = evaluations[place].nested.copy()
    for rows in problem.held_out():
        others = np.ones(len(nested), dtype=np.bool_)
        others[rows] = False
        elected = _simplest([right[others] for right in rights])[0]
        nested[rows] = evaluations[elected].nested[rows]
    gap = float(rights[best].mean() - rights[place].mean())
    error = paired_standard_error(rights[best], rights[place])
    return Choice(evaluations[place], _reason(evaluations[place], evaluations[best], gap, error), nested)


def _simplest(rights: Sequence[NDArray[np.bool_]]) -> tuple[int, int]:
    """Places of the simplest within one standard error of the best, and of the best."""
    counts = [int(right.sum()) for right in rights]
    best = int(np.argmax(counts))
    for place, right in enumerate(rights):
        gap = (counts[best] - counts[place]) / len(right)
        if gap <= paired_standard_error(rights[best], right):
            return place, best
    raise AssertionError("the best blender is within one standard error of itself")


def _reason(chosen: Evaluation, best: Evaluation, gap: float, error: float) -> str:
    if chosen is best:
        return f"{chosen.title} has the best nested accuracy; nothing simpler is within one standard error of it"
    return (
        f"{chosen.title} is the simplest within one standard error of the best: "
        f"{best.title} is ahead by {gap:.4f}, with a paired standard error of {error:.4f}"
    )
