"""Which blender is shipped: the simplest that is as good as the best, as far as the rows can tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.evaluation.nested import Evaluation, Problem
from ensemble.core.metrics.decisions import right_decisions
from ensemble.core.metrics.scores import score, to_probabilities


@dataclass(frozen=True)
class Choice:
    """The chosen blender, why, and the score of choosing.

    Attributes
    ----------
    choosing : Evaluation
        Of the whole procedure: the chosen blender, but scored with blenders that were chosen, for each fold, by the
        scores of the other folds. So it has paid for most of the choice, which the chosen blender's own nested score
        has not. Not for all of it: what was scored on the other folds had been fitted on this one too.
    """

    chosen: Evaluation
    reason: str
    choosing: Evaluation


def choose(evaluations: Sequence[Evaluation], problem: Problem) -> Choice:
    """The simplest blender within one standard error of the best; `evaluations` go from simple to complex.

    Both decide the same rows, so only those on which they differ count: if neither were better, the net gain of f flips
    would have a standard error of sqrt(f). What decides fewer rows rightly than something simpler is never chosen; so
    nothing is below the plain mean, as long as the mean competes and is not itself chosen.
    """
    rights = [right_decisions(evaluation.nested, problem.labels) for evaluation in evaluations]
    place, best = _simplest(rights)
    elected = [_simplest([np.delete(right, rows) for right in rights])[0] for rows in problem.held_out]
    net, flips = _difference(rights[best], rights[place])
    reason = _reason(evaluations, place, best, net, flips)
    return Choice(evaluations[place], reason, _choosing(evaluations, place, elected, problem))


def _choosing(evaluations: Sequence[Evaluation], place: int, elected: Sequence[int], problem: Problem) -> Evaluation:
    """The chosen blender, with each part and its decisions taken from the blender that was elected for it."""
    chosen, nested = evaluations[place], evaluations[place].nested.copy()
    parts = [evaluations[which].parts[number] for number, which in enumerate(elected)]
    for part, which in zip(parts, elected, strict=True):
        nested[part.held_out] = evaluations[which].nested[part.held_out]
    scores = score(to_probabilities(nested.astype(np.float64)), problem.labels)
    return replace(chosen, parts=parts, nested=nested, nested_scores=scores)


def _simplest(rights: Sequence[NDArray[np.bool_]]) -> tuple[int, int]:
    """Places of the simplest within one standard error of the best, and of the best."""
    counts = [int(right.sum()) for right in rights]
    best = int(np.argmax(counts))
    for place, right in enumerate(rights):
        net, flips = _difference(rights[best], right)
        if net <= math.sqrt(flips) and counts[place] >= max(counts[: place + 1]):
            return place, best
    raise AssertionError("the best blender is within one standard error of itself")


def _difference(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int]:
    """Net gain of the first over the other, and on how many rows they differ."""
    return int(right.sum()) - int(other.sum()), int((right != other).sum())


def _reason(evaluations: Sequence[Evaluation], place: int, best: int, net: int, flips: int) -> str:
    chosen = evaluations[place].title
    if place == best == 0:
        return f"{chosen} is the simplest, and none has a better nested accuracy"
    if place == best:
        return f"{chosen} has the best nested accuracy; nothing simpler is within one standard error of it"
    return (
        f"{chosen} is the simplest within one standard error of the best: {evaluations[best].title} decides {net} more "
        f"rightly, of {flips} on which they differ (standard error {math.sqrt(flips):.1f})"
    )
