"""Choice of the blender: within one standard error of the best, the steadiest if that was measured, or the simplest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.evaluation.movement import changes_when_altered
from ensemble.blend.evaluation.nested import Evaluation, Problem
from ensemble.core.arrays import Array
from ensemble.core.console.text import plural
from ensemble.core.metrics.decisions import correct_logits
from ensemble.core.metrics.scores import score, to_probabilities
from ensemble.store.altered import AlteredLogits


@dataclass(frozen=True)
class Choice:
    """The chosen blender, the reason, and the score of the choice.

    Attributes
    ----------
    choosing : Evaluation
        Of the whole procedure: the chosen blender, scored with those that the scores of the other folds choose for each
        fold. Its score includes most of the selection bias, which the nested score of the chosen blender leaves out.
        Not all of it: what is scored on the other folds was fitted on this fold too.
    changes : list of float64 (photographs,) or None
        Of each evaluation: the share of alterations that change its decision of a photograph.
    """

    chosen: Evaluation
    reason: str
    choosing: Evaluation
    changes: list[Array] | None = None


def choose(evaluations: Sequence[Evaluation], problem: Problem, altered: AlteredLogits | None = None) -> Choice:
    """Choose among the blenders within one standard error of the best; `evaluations` go from simple to complex.

    Both decide the same rows, so only those on which they differ count: if neither were better, the net gain of f flips
    would have a standard error of sqrt(f). Among those within it, choose the one with the fewest changes of decision on
    altered photographs, or a simpler one within one standard error of that. Where these were not measured, choose the
    simplest with no fewer correct decisions than any simpler one; so it is not below the plain mean, if that competes.
    """
    correct = [correct_logits(evaluation.nested, problem.labels) for evaluation in evaluations]
    changes = None if altered is None else [changes_when_altered(evaluation, altered) for evaluation in evaluations]
    chosen, best = _elect(correct, changes)
    elected = []
    for rows in problem.held_out:
        seen = None if altered is None or changes is None else [each[~altered.among(rows)] for each in changes]
        elected.append(_elect([np.delete(each, rows) for each in correct], seen)[0])
    reason = _reason(evaluations, chosen, best, correct, changes)
    return Choice(evaluations[chosen], reason, _choosing(evaluations, chosen, elected, problem), changes)


def _choosing(evaluations: Sequence[Evaluation], chosen: int, elected: Sequence[int], problem: Problem) -> Evaluation:
    """Return the chosen blender's evaluation, with each part and its decisions replaced by those of the elected one."""
    nested = evaluations[chosen].nested.copy()
    parts = [evaluations[winner].parts[number] for number, winner in enumerate(elected)]
    for part, winner in zip(parts, elected, strict=True):
        nested[part.held_out] = evaluations[winner].nested[part.held_out]
    scores = score(to_probabilities(nested.astype(np.float64)), problem.labels)
    return replace(evaluations[chosen], parts=parts, nested=nested, nested_scores=scores)


def _elect(correct: Sequence[NDArray[np.bool_]], changes: Sequence[Array] | None) -> tuple[int, int]:
    """Return the positions of the one to choose, and of the best."""
    counts = [int(each.sum()) for each in correct]
    best = int(np.argmax(counts))
    close = [number for number, each in enumerate(correct) if _is_close(*_difference(correct[best], each))]
    if changes is None:
        return next(number for number in close if counts[number] >= max(counts[: number + 1])), best
    steadiest = min(close, key=lambda number: float(changes[number].mean()))
    return next(number for number in close if _as_steady(changes[number] - changes[steadiest])), best


def _is_close(net: int, flips: int) -> bool:
    return net <= math.sqrt(flips)


def _as_steady(more: Array) -> bool:
    """Return whether the sum of differences (photographs,) is within one standard error of zero, or below.

    As of decisions: if neither blender changed more, each difference would be as likely to have the other sign.
    """
    return float(more.sum()) <= math.sqrt(float((more**2).sum())) * (1 + 1e-9)


def _difference(correct: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the net gain of the first over the other, and the number of rows on which they differ."""
    return int(correct.sum()) - int(other.sum()), int((correct != other).sum())


def _reason(
    evaluations: Sequence[Evaluation],
    chosen: int,
    best: int,
    correct: Sequence[NDArray[np.bool_]],
    changes: Sequence[Array] | None,
) -> str:
    title = evaluations[chosen].title
    if changes is not None:
        return (
            f"{title} changes {changes[chosen].mean():.1%} of its decisions when photographs are altered, within one "
            "standard error of the fewest among the blenders within one standard error of the best "
            f"({evaluations[best].title}), and none that is simpler is"
        )
    net, flips = _difference(correct[best], correct[chosen])
    if chosen == best == 0:
        return f"{title} is the simplest blender, and none has a better nested accuracy"
    if chosen == best:
        return (
            f"{title} has the best nested accuracy; each simpler blender is more than one standard error below it, or "
            "worse than one that is simpler still"
        )
    return (
        f"{title} is the simplest blender within one standard error of the best: {evaluations[best].title} makes "
        f"{plural(net, 'more correct decision')}, and the two differ on {plural(flips, 'photograph')} "
        f"(standard error {math.sqrt(flips):.1f})"
    )
