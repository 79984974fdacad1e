"""The honest score of every blender: fitted on the other folds, scored on this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.average import AverageOfBlenders
from ensemble.blend.base import Array, Blender, Folds, Labels, Logits, take_rows
from ensemble.metrics import Scores, score, to_probabilities

_MOST_PARTS = 10  # of the ledger's folds, neighbours go together beyond that: leaving out a tenth is honest enough


@dataclass(frozen=True)
class Evaluation:
    """One blender, fitted on all rows, with its scores in-sample and nested.

    Attributes
    ----------
    blender : Blender
        Fitted on all rows.
    parts : list of (held-out rows, Blender)
        The same, fitted without these rows.
    in_sample : float64 (rows,)
        Its logits of the rows that it was fitted on.
    nested : float64 (rows,)
        Logits of rows that what made them never saw.
    in_sample_scores, nested_scores : Scores
        The first flatters: what was fitted was fitted on the very rows that it scores.
    """

    blender: Blender
    parts: list[tuple[NDArray[np.intp], Blender]]
    in_sample: Array
    nested: Array
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


@dataclass(frozen=True)
class Problem:
    """What blenders learn from.

    Attributes
    ----------
    logits : float32 (rows, members + columns)
        Out-of-fold logits without gaps; feature columns of the photographs may follow.
    members : int
        How many of the columns are members.
    labels, folds : int64 (rows,)
    """

    logits: Logits
    members: int
    labels: Labels
    folds: Folds

    def seen_by(self, blender: Blender) -> Logits:
        """The columns that a blender reads."""
        return self.logits if blender.reads_columns else self.logits[:, : self.members]

    def held_out(self) -> list[NDArray[np.intp]]:
        """The rows of each part that is left out in turn; none when all rows are of one fold."""
        _, number = np.unique(self.folds, return_inverse=True)
        parts = [np.flatnonzero(number % _MOST_PARTS == part) for part in range(min(number.max() + 1, _MOST_PARTS))]
        return parts if len(parts) > 1 else []


def evaluate(make_final: Callable[[], Blender], make: Callable[[], Blender], problem: Problem) -> Evaluation:
    """Fit one blender on all rows, and others like it without each part, which they then decide.

    Raises
    ------
    ValueError
        All rows are of one fold, and the blender learns: nothing can be held out of it.
    """
    blender = make_final()
    if blender.learns and not problem.held_out():
        raise ValueError(f"{blender.title} cannot be scored on rows of one fold")
    logits = problem.seen_by(blender)
    blender.fit(logits, problem.labels, problem.folds)
    parts = [(rows, _without(rows, make(), logits, problem)) for rows in problem.held_out()]
    in_sample = blender.decision_function(logits)
    nested = in_sample.copy()
    for rows, part in parts:
        nested[rows] = part.decision_function(take_rows(logits, rows))
    return _scored(blender, parts, in_sample, nested, problem.labels)


def evaluate_average(evaluations: Sequence[Evaluation], problem: Problem) -> Evaluation:
    """The average of blenders that are evaluated already: nothing is fitted again."""
    parts: list[tuple[NDArray[np.intp], Blender]] = []
    for place, rows in enumerate(problem.held_out()):
        parts.append((rows, AverageOfBlenders([e.parts[place][1] for e in evaluations], problem.members)))
    return _scored(
        AverageOfBlenders([e.blender for e in evaluations], problem.members),
        parts,
        np.mean([e.in_sample for e in evaluations], axis=0),
        np.mean([e.nested for e in evaluations], axis=0),
        problem.labels,
    )


def _without(rows: NDArray[np.intp], blender: Blender, logits: Logits, problem: Problem) -> Blender:
    others = np.ones(len(logits), dtype=np.bool_)
    others[rows] = False
    return blender.fit(take_rows(logits, others), problem.labels[others], problem.folds[others])


def _scored(blender: Blender, parts: Any, in_sample: Array, nested: Array, labels: Labels) -> Evaluation:
    return Evaluation(
        blender,
        parts,
        in_sample,
        nested,
        score(to_probabilities(in_sample), labels),
        score(to_probabilities(nested), labels),
    )
