"""Nested scores of blenders: each fold is decided by a clone that was fitted on the other folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import Blender, clone
from ensemble.blend.blenders.rows import at_most, mean_of, parts_of, pieces, take_rows
from ensemble.blend.blenders.simple import AverageOfBlenders
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.scores import Scores, score, to_probabilities

_MOST_PARTS = 10  # leaving out a tenth is honest enough
_NO_ROWS: NDArray[np.intp] = np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Part:
    """A fitted blender, and the rows that its fit did not see."""

    blender: Blender
    held_out: NDArray[np.intp]

    def fitted_on(self, problem: Problem) -> NDArray[np.intp]:
        """Return the rows that it was fitted on (an average: that its blenders could be fitted on), never held out."""
        return problem.rows_for(self.held_out, self.blender.most_rows)


@dataclass(frozen=True)
class Evaluation:
    """One blender, fitted on all rows (or `most_rows` of them), with its scores in-sample and nested.

    Attributes
    ----------
    blender : Blender
        Fitted on rows of all folds.
    parts : list of Part
        Clones, each fitted without some rows.
    nested : float32 (rows,)
        Logits of each row by the part that did not see it; single precision keeps their signs.
    in_sample_scores, nested_scores : Scores
        The first is optimistic: it scores the rows of the fit.
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
        """The blender that was fitted on all rows, as a part without held-out rows."""
        return Part(self.blender, _NO_ROWS)

    def in_sample(self, problem: Problem) -> Array:
        """Return its logits of all rows (rows,), including those it was fitted on."""
        return self.blender.decision_function(problem.seen_by(self.blender))

    @property
    def optimism(self) -> float:
        """In-sample minus nested accuracy."""
        return self.in_sample_scores.accuracy - self.nested_scores.accuracy


@dataclass(frozen=True)
class Problem:
    """Data that blenders learn from.

    Attributes
    ----------
    logits : float32 (rows, members + columns)
        Out-of-fold logits without missing values; feature columns of the photographs may follow.
    members : int
        How many of the columns are members.
    labels, folds : int64 (rows,)
    """

    logits: Logits
    members: int
    labels: Labels
    folds: Folds

    def seen_by(self, blender: Blender) -> Logits:
        """Return the columns that a blender reads."""
        return blender.columns_of(self.logits, self.members)

    def rows_for(self, held_out: NDArray[np.intp], most: int) -> NDArray[np.intp]:
        """Return the rows to fit on: all but the held-out ones, or `most` of them."""
        rows = np.delete(np.arange(len(self.labels)), held_out)
        return rows[at_most(len(rows), most)]

    @cached_property
    def held_out(self) -> list[NDArray[np.intp]]:
        """The rows of each part that is held out in turn; empty if all rows are of one fold."""
        return parts_of(self.folds, _MOST_PARTS)


def evaluate(blender: Blender, problem: Problem) -> Evaluation:
    """Fit one clone of a blender on all rows, and one without each part, which it then decides.

    Raises
    ------
    ValueError
        All rows are of one fold, and the blender learns: nothing can be held out.
    """
    if blender.learns and not problem.held_out:
        raise ValueError(f"{blender.title} cannot be scored on rows of one fold")
    whole = fit_part(blender, problem, _NO_ROWS).blender
    parts = [fit_part(blender, problem, rows) for rows in problem.held_out]
    nested = np.empty(len(problem.labels))
    if not parts:
        nested[:] = whole.decision_function(problem.seen_by(whole))
    for part in parts:
        for rows in pieces(part.held_out):
            nested[rows] = part.blender.decision_function(take_rows(problem.seen_by(blender), rows))
    return _scored(whole, parts, nested, problem)


def evaluate_average(evaluations: Sequence[Evaluation], problem: Problem) -> Evaluation:
    """Evaluate the average of blenders that are evaluated already: nothing is fitted again."""
    whole = AverageOfBlenders.of_fitted([e.blender for e in evaluations], problem.members)
    parts = [
        Part(AverageOfBlenders.of_fitted([e.parts[number].blender for e in evaluations], problem.members), rows)
        for number, rows in enumerate(problem.held_out)
    ]
    return _scored(whole, parts, mean_of(e.nested.astype(np.float64) for e in evaluations), problem)


def fit_part(blender: Blender, problem: Problem, held_out: NDArray[np.intp]) -> Part:
    """Fit a clone of a blender on all rows but those held out."""
    part = Part(clone(blender), held_out)
    rows = part.fitted_on(problem)
    part.blender.fit(take_rows(problem.seen_by(blender), rows), problem.labels[rows], problem.folds[rows])
    return part


def _scored(blender: Blender, parts: list[Part], nested: Array, problem: Problem) -> Evaluation:
    in_sample = blender.decision_function(problem.seen_by(blender))
    scores = (score(to_probabilities(logits), problem.labels) for logits in (in_sample, nested))
    return Evaluation(blender, parts, nested.astype(np.float32), *scores)
