"""Choice of the blender: the simplest within one standard error of the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.evaluation.nested import Evaluation, Problem
from ensemble.core.console.text import plural
from ensemble.core.metrics.decisions import correct_logits
from ensemble.core.metrics.scores import score, to_probabilities


@dataclass(frozen=True)
class Choice:
    """The chosen blender, the reason, and the score of the choice.

    Attributes
    ----------
    choosing : Evaluation
        Of the whole procedure: the chosen blender, scored with those that the scores of the other folds choose for each
        fold. Its score includes most of the selection bias, which the nested score of the chosen blender leaves out.
        Not all of it: what is scored on the other folds was fitted on this fold too.
    """

    chosen: Evaluation
    reason: str
    choosing: Evaluation


def choose(evaluations: Sequence[Evaluation], problem: Problem) -> Choice:
    """Choose the simplest blender within one standard error of the best; `evaluations` go from simple to complex.

    Both decide the same rows, so only those on which they differ count: if neither were better, the net gain of f flips
    would have a standard error of sqrt(f). A blender with fewer correct decisions than a simpler one is never chosen;
    so no choice is below the plain mean, if the mean competes.
    """
    correct = [correct_logits(evaluation.nested, problem.labels) for evaluation in evaluations]
    chosen, best = _simplest(correct)
    elected = [_simplest([np.delete(each, rows) for each in correct])[0] for rows in problem.held_out]
    reason = _reason(evaluations, chosen, best, *_difference(correct[best], correct[chosen]))
    return Choice(evaluations[chosen], reason, _choosing(evaluations, chosen, elected, problem))


def _choosing(evaluations: Sequence[Evaluation], chosen: int, elected: Sequence[int], problem: Problem) -> Evaluation:
    """Return the chosen blender's evaluation, with each part and its decisions replaced by those of the elected one."""
    nested = evaluations[chosen].nested.copy()
    parts = [evaluations[winner].parts[number] for number, winner in enumerate(elected)]
    for part, winner in zip(parts, elected, strict=True):
        nested[part.held_out] = evaluations[winner].nested[part.held_out]
    scores = score(to_probabilities(nested.astype(np.float64)), problem.labels)
    return replace(evaluations[chosen], parts=parts, nested=nested, nested_scores=scores)


def _simplest(correct: Sequence[NDArray[np.bool_]]) -> tuple[int, int]:
    """Return the positions of the simplest within one standard error of the best, and of the best."""
    counts = [int(each.sum()) for each in correct]
    best = int(np.argmax(counts))
    for number, each in enumerate(correct):
        net, flips = _difference(correct[best], each)
        if net <= math.sqrt(flips) and counts[number] >= max(counts[: number + 1]):
            return number, best
    raise AssertionError("the best blender is within one standard error of itself")


def _difference(correct: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the net gain of the first over the other, and the number of rows on which they differ."""
    return int(correct.sum()) - int(other.sum()), int((correct != other).sum())


def _reason(evaluations: Sequence[Evaluation], chosen: int, best: int, net: int, flips: int) -> str:
    title = evaluations[chosen].title
    if chosen == best == 0:
        return f"{title} is the simplest blender, and none has a better nested accuracy"
    if chosen == best:
        return f"{title} has the best nested accuracy, and no simpler blender is within one standard error of it"
    return (
        f"{title} is the simplest blender within one standard error of the best: {evaluations[best].title} makes "
        f"{plural(net, 'more correct decision')}, and the two differ on {plural(flips, 'photograph')} "
        f"(standard error {math.sqrt(flips):.1f})"
    )
