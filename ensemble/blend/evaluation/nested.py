"""The honest score of every blender: fitted on the other folds, scored on this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.average import AverageOfBlenders
from ensemble.blend.blenders.base import Blender, at_most, mean_of, parts_of, pieces, take_rows
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.scores import Scores, score, to_probabilities

_MOST_PARTS = 10  # leaving out a tenth is honest enough
_NO_ROWS: NDArray[np.intp] = np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Part:
    """A blender, and the rows that it has not seen."""

    blender: Blender
    held_out: NDArray[np.intp]

    def fitted_on(self, problem: Problem) -> NDArray[np.intp]:
        """The rows that it was fitted on (an average: that it was free to see); none of those held out."""
        return problem.rows_for(self.held_out, self.blender.most_rows)


@dataclass(frozen=True)
class Evaluation:
    """One blender, fitted on all rows (or as many as it needs), with its scores in-sample and nested.

    Attributes
    ----------
    blender : Blender
        Fitted on rows of all folds.
    parts : list of Part
        The same, fitted without some rows.
    nested : float32 (rows,)
        Logits of rows that what made them never saw; in single precision, which keeps their signs.
    in_sample_scores, nested_scores : Scores
        The first flatters: what was fitted was fitted on the very rows that it scores.
    """

    blender: Blender
    parts: list[Part]
    nested: Logits
    in_sample_scores: Scores
    nested_scores: Scores

    @property
    def title(self) -> str:
        """The blender's name."""
        return self.blender.title

    @property
    def whole(self) -> Part:
        """The blender that was fitted on all rows, as a part that leaves out none."""
        return Part(self.blender, _NO_ROWS)

    def in_sample(self, problem: Problem) -> Array:
        """Its logits of all rows (rows,), those that it was fitted on among them."""
        return self.blender.decision_function(problem.seen_by(self.blender))

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
        return blender.columns_of(self.logits, self.members)

    def rows_for(self, held_out: NDArray[np.intp], most: int) -> NDArray[np.intp]:
        """The rows to fit on: all but the held-out ones, or `most` of them."""
        rows = np.delete(np.arange(len(self.labels)), held_out)
        return rows[at_most(len(rows), most)]

    @cached_property
    def held_out(self) -> list[NDArray[np.intp]]:
        """The rows of each part that is left out in turn; none when all rows are of one fold."""
        return parts_of(self.folds, _MOST_PARTS)


def evaluate(make_final: Callable[[], Blender], make: Callable[[], Blender], problem: Problem) -> Evaluation:
    """Fit one blender on all rows, and others like it without each part, which they then decide.

    Raises
    ------
    ValueError
        All rows are of one fold, and the blender learns: nothing can be held out of it.
    """
    blender = make_final()
    if blender.learns and not problem.held_out:
        raise ValueError(f"{blender.title} cannot be scored on rows of one fold")
    fitted(blender, problem, _NO_ROWS)
    parts = [fitted(make(), problem, rows) for rows in problem.held_out]
    nested = np.empty(len(problem.labels))
    if not parts:
        nested[:] = blender.decision_function(problem.seen_by(blender))
    for part in parts:
        for rows in pieces(part.held_out):
            nested[rows] = part.blender.decision_function(take_rows(problem.seen_by(blender), rows))
    return _scored(blender, parts, nested, problem)


def evaluate_average(evaluations: Sequence[Evaluation], problem: Problem) -> Evaluation:
    """The average of blenders that are evaluated already: nothing is fitted again."""
    average = AverageOfBlenders([e.blender for e in evaluations], problem.members)
    parts = [
        Part(AverageOfBlenders([e.parts[place].blender for e in evaluations], problem.members), rows)
        for place, rows in enumerate(problem.held_out)
    ]
    return _scored(average, parts, mean_of(e.nested.astype(np.float64) for e in evaluations), problem)


def fitted(blender: Blender, problem: Problem, held_out: NDArray[np.intp]) -> Part:
    """Fit a blender on all rows but those held out."""
    part = Part(blender, held_out)
    rows = part.fitted_on(problem)
    blender.fit(take_rows(problem.seen_by(blender), rows), problem.labels[rows], problem.folds[rows])
    return part


def _scored(blender: Blender, parts: list[Part], nested: Array, problem: Problem) -> Evaluation:
    in_sample = blender.decision_function(problem.seen_by(blender))
    scores = (score(to_probabilities(logits), problem.labels) for logits in (in_sample, nested))
    return Evaluation(blender, parts, nested.astype(np.float32), *scores)
