"""Worth of each member: the blend without it, the best member with it, rows only it gets right, correlations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import blended
from ensemble.blend.blenders.greedy import select, shares
from ensemble.blend.blenders.rows import at_most, pieces, take_rows
from ensemble.blend.blenders.simple import MeanOfLogits
from ensemble.blend.evaluation.nested import Problem
from ensemble.core.arrays import Array, Labels, Logits
from ensemble.core.metrics.decisions import DecisionCounter, correct_logits
from ensemble.core.metrics.paired import Comparison, compare_counts

_RESCUES_SHOWN = 20
_MOST_ROWS_COMPARED = 20_000  # for correlations
_MOST_ROWS_FITTED = 15_000  # all are scored
_POINT = 0.01

Correct = NDArray[np.bool_]
Weigher = Callable[[NDArray[np.intp]], tuple[Array, NDArray[np.bool_]]]


@dataclass(frozen=True)
class MemberWorth:
    """Contribution of one member to the blend; accuracies are nested.

    Attributes
    ----------
    without : float
        Accuracy of the blend of all others.
    gain : Comparison
        The blend of all members against the blend of all others.
    added_to_best : Comparison or None
        The blend of the best member and this one against the best member; None for the best itself.
    seconds : float
        Seconds of one thread to train it on all folds.
    seconds_per_point : float
        Seconds for each hundredth of accuracy that it gains; infinite without a gain.
    rescued : list of int
        Rows on which only this member is correct; the first twenty.
    rescues : int
        Number of all such rows.
    """

    member: str
    without: float
    gain: Comparison
    added_to_best: Comparison | None
    seconds: float
    seconds_per_point: float
    rescued: list[int]
    rescues: int


@dataclass(frozen=True)
class Worth:
    """Worth of all members, and their similarity.

    Attributes
    ----------
    blender : str
        Blender used here: the plain mean if that was chosen, else greedy selection, which is fast enough.
    best : str
        The member with the best out-of-fold accuracy.
    logit_correlation, error_correlation : float64 (members, members)
        Correlations of logits, and of wrong decisions (NaN for a member without any).
    effective_members : float
        (sum of l)^2 / (sum of l^2) over the eigenvalues l of the error correlations: the number of members if their
        errors are independent, one if they are the same.
    """

    blender: str
    best: str
    members: list[MemberWorth]
    logit_correlation: Array
    error_correlation: Array
    effective_members: float


def worth(problem: Problem, by: str, rounds: int, names: Sequence[str], seconds: Sequence[float]) -> Worth:
    """Leave each member out, and add each to the best. `by` is mean or greedy."""
    members_correct = sum(_correct_alone(problem, member).astype(np.int16) for member in range(problem.members))
    counts = [int(_correct_alone(problem, member).sum()) for member in range(problem.members)]
    best = int(np.argmax(counts))
    without, beside = _count_flips(problem, by, rounds, best)
    full = without[0].correct
    rows = []
    for member, name in enumerate(names):
        gain = without[member].compared()
        rescued = np.flatnonzero((members_correct == 1) & _correct_alone(problem, member))
        rows.append(
            MemberWorth(
                name,
                (full - gain.net) / gain.rows,
                gain,
                None if member == best else beside[member].compared(),
                seconds[member],
                seconds[member] * _POINT / gain.difference if gain.net > 0 else float("inf"),
                rescued[:_RESCUES_SHOWN].tolist(),
                len(rescued),
            )
        )
    return Worth(by, names[best], rows, *_correlations(problem))


def _correct_alone(problem: Problem, member: int) -> Correct:
    return correct_logits(problem.logits[:, member], problem.labels)


@dataclass
class _Flips:
    """Changes between two blends, counted part by part, which needs no memory of the size of the matrix."""

    rows: int = 0
    correct: int = 0
    gained: int = 0
    lost: int = 0

    def add(self, after: Correct, before: Correct) -> None:
        """Count one part."""
        self.rows += len(after)
        self.correct += int(after.sum())
        self.gained += int((after & ~before).sum())
        self.lost += int((before & ~after).sum())

    def compared(self) -> Comparison:
        """Return the comparison of all parts."""
        return compare_counts(self.gained, self.lost, self.rows)


def _count_flips(problem: Problem, by: str, rounds: int, best: int) -> tuple[list[_Flips], list[_Flips]]:
    """Compare, for each member: the nested blend of all with that without it; it and the best with the best alone.

    Part by part, so that the margins of its rows are computed once for all subsets of members.
    """
    members = np.arange(problem.members)
    without, beside = ([_Flips() for _ in members] for _ in range(2))
    logits = problem.logits[:, : problem.members]
    for held_out in problem.held_out:
        seen = problem.rows_for(held_out, _MOST_ROWS_FITTED)
        weigh = _weigher(by, rounds, take_rows(logits, seen), problem.labels[seen])
        weights, used = weigh(members)
        matter = [member for member in members if used[member] and len(members) > 1]
        rests = {member: weigh(np.delete(members, member))[0] for member in matter}
        pairs = {member: weigh(np.array([best, member]))[0] for member in members if member != best}
        for rows in pieces(held_out):
            decide = partial(_decide, take_rows(logits, rows), problem.labels[rows])
            full, alone = decide(weights), decide(np.eye(len(members))[best])
            for member in members:
                without[member].add(full, decide(rests[member]) if member in rests else full)
                if member in pairs:
                    beside[member].add(decide(pairs[member]), alone)
    return without, beside


def _decide(logits: Logits, labels: Labels, weights: Array) -> Correct:
    return correct_logits(blended(logits, weights, 0.0), labels)


def _weigher(by: str, rounds: int, logits: Logits, labels: Labels) -> Weigher:
    """Return a function from a subset to its weights (members,) and to which of all members could matter to it."""
    members = logits.shape[1]
    if by == MeanOfLogits.title:
        return lambda offered: (np.isin(np.arange(members), offered) / len(offered), np.ones(members, dtype=np.bool_))
    counter = DecisionCounter(logits, labels)

    def greedy(offered: NDArray[np.intp]) -> tuple[Array, NDArray[np.bool_]]:
        picks, best = select(counter, offered, rounds)
        return shares(picks[:best], members), shares(picks, members) > 0

    return greedy


def _correlations(problem: Problem) -> tuple[Array, Array, float]:
    rows = at_most(len(problem.labels), _MOST_ROWS_COMPARED)
    logits = take_rows(problem.logits[:, : problem.members], rows)
    errors = _correlation((logits.T >= 0) != (problem.labels[rows] == 1))
    erring = ~np.isnan(np.diag(errors))
    if not erring.any():
        return _correlation(logits.T), errors, float("nan")
    eigenvalues = np.linalg.eigvalsh(errors[np.ix_(erring, erring)])
    return _correlation(logits.T), errors, float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


def _correlation(values: NDArray[Any]) -> Array:
    """Return correlations between rows; NaN for a constant row."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(values))
