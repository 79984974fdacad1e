"""What each member is worth: the blend without it, the best member with it, what it rescues, whom it resembles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.base import Array, Labels, Logits, at_most, blended, take_rows
from ensemble.blend.greedy import select, shares
from ensemble.blend.mean import MeanOfLogits
from ensemble.blend.nested import Problem
from ensemble.blend.objective import RightDecisions
from ensemble.paired import Comparison, compare

_RESCUES_SHOWN = 20
_MOST_ROWS = 200_000  # for correlations
_MOST_ROWS_FITTED = 30_000  # all are scored
_POINT = 0.01

Right = NDArray[np.bool_]
Weigher = Callable[[NDArray[np.intp]], tuple[Array, NDArray[np.bool_]]]


@dataclass(frozen=True)
class MemberWorth:
    """One member's part in the blend; accuracies are nested.

    Attributes
    ----------
    without : float
        Accuracy of the blend of all others.
    gain : Comparison
        The blend of all against that.
    added_to_best : Comparison or None
        The blend of the best member and this one against the best member; None for the best itself.
    seconds : float
        Of one thread, to train it on all folds.
    seconds_per_point : float
        Seconds for each hundredth of accuracy that it gains; infinite where it gains none.
    rescued : list of int
        Rows that it alone decides rightly, of all members; the first twenty.
    rescues : int
        How many these are.
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
    """All members, and how alike they are.

    Attributes
    ----------
    blender : str
        What blends them here: the plain mean if that was chosen, else greedy selection, which is quick enough.
    best : str
        The member with the best out-of-fold accuracy.
    logit_correlation, error_correlation : float64 (members, members)
        Of logits, and of wrong decisions (NaN for a member without any).
    effective_members : float
        (sum of l)^2 / (sum of l^2) over the eigenvalues l of the error correlations: as many as there are members when
        they err independently, one when they err alike.
    """

    blender: str
    best: str
    members: list[MemberWorth]
    logit_correlation: Array
    error_correlation: Array
    effective_members: float


def worth(problem: Problem, by: str, rounds: int, names: Sequence[str], seconds: Sequence[float]) -> Worth:
    """Take each member away, and add each to the best. `by` is mean or greedy."""
    rights = np.stack([(column >= 0) == (problem.labels == 1) for column in problem.logits.T[: problem.members]])
    best = int(rights.sum(axis=1).argmax())
    lonely = rights.sum(axis=0) == 1
    nested = _nested(problem, by, rounds, best)
    rows = []
    for member, name in enumerate(names):
        gain, rescued = compare(nested.full, nested.without[member]), np.flatnonzero(lonely & rights[member])
        rows.append(
            MemberWorth(
                name,
                float(nested.without[member].mean()),
                gain,
                None if member == best else compare(nested.beside_best[member], rights[best]),
                seconds[member],
                seconds[member] * _POINT / gain.difference if gain.net > 0 else float("inf"),
                rescued[:_RESCUES_SHOWN].tolist(),
                len(rescued),
            )
        )
    return Worth(by, names[best], rows, *_likeness(problem, rights))


@dataclass(frozen=True)
class _Nested:
    """Right decisions, nested: of all members (rows,), without each and with each beside the best (members, rows)."""

    full: Right
    without: Right
    beside_best: Right


def _nested(problem: Problem, by: str, rounds: int, best: int) -> _Nested:
    """One part after the other, so that the margins of its rows are made once for all subsets of members."""
    members, rows = np.arange(problem.members), len(problem.labels)
    found = _Nested(*(np.zeros((*shape, rows), dtype=np.bool_) for shape in ((), members.shape, members.shape)))
    logits = problem.logits[:, : problem.members]
    for held_out in problem.held_out():
        others = np.setdiff1d(np.arange(rows), held_out)
        seen = others[at_most(len(others), _MOST_ROWS_FITTED)]
        weigh = _weigher(by, rounds, take_rows(logits, seen), problem.labels[seen])
        decide = partial(_decide, take_rows(logits, held_out), problem.labels[held_out] == 1)
        weights, used = weigh(members)
        found.full[held_out] = decide(weights)
        for member in members:
            rest = np.delete(members, member)
            needed = used[member] and len(rest) > 0
            found.without[member, held_out] = decide(weigh(rest)[0]) if needed else found.full[held_out]
            if member != best:
                found.beside_best[member, held_out] = decide(weigh(np.array([best, member]))[0])
    return found


def _decide(held: Logits, fake: Right, weights: Array) -> Right:
    """Whether the blend of these weights decides each held-out row rightly."""
    right: Right = (blended(held, weights, 0.0) >= 0) == fake
    return right


def _weigher(by: str, rounds: int, logits: Logits, labels: Labels) -> Weigher:
    """Gives the weights (members,) of a subset, and which of all members could have made a difference."""
    members = logits.shape[1]
    if by == MeanOfLogits.title:
        return lambda offered: (np.isin(np.arange(members), offered) / len(offered), np.ones(members, dtype=np.bool_))
    right = RightDecisions(logits, labels)

    def greedy(offered: NDArray[np.intp]) -> tuple[Array, NDArray[np.bool_]]:
        picks, best = select(right, offered, rounds)
        return shares(picks[:best], members), shares(picks, members) > 0

    return greedy


def _likeness(problem: Problem, rights: NDArray[np.bool_]) -> tuple[Array, Array, float]:
    rows = at_most(len(problem.labels), _MOST_ROWS)
    logits = take_rows(problem.logits[:, : problem.members], rows)
    errors = _correlation(~rights[:, rows])
    erring = ~np.isnan(np.diag(errors))
    if not erring.any():
        return _correlation(logits.T), errors, float("nan")
    eigenvalues = np.linalg.eigvalsh(errors[np.ix_(erring, erring)])
    return _correlation(logits.T), errors, float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


def _correlation(values: NDArray[Any]) -> Array:
    """Between rows; NaN where one of them never changes."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(values))
