"""Outlook: whether another member or seed is likely to gain more than chance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.blend.blenders.base import blended
from ensemble.blend.blenders.greedy import GreedySelection, shares
from ensemble.blend.blenders.rows import pieces, take_rows
from ensemble.blend.evaluation.nested import Problem
from ensemble.blend.evaluation.worth import Worth
from ensemble.core.arrays import Array
from ensemble.core.metrics.decisions import correct_count

_MOST_ROWS = 30_000  # are enough for the path of greedy selection


@dataclass(frozen=True)
class Outlook:
    """Expected gain of one more member, from those so far.

    Attributes
    ----------
    path : float64 (k,)
        Held-out accuracy of greedy selection stopped at one, two, ... different members, fitted on the other folds.
    another_member : float or None
        Expected gain of one more member as different as these: the path's errors as a + b / k (a, b >= 0), extrapolated
        by one. None for a single member, which has no path.
    another_seed : float or None
        Mean gain of members that differ from another one in the seed only; None if there are none.
    standard_error : float
        Standard error of the accuracy at the path's end.
    """

    path: Array
    another_member: float | None
    another_seed: float | None
    standard_error: float

    def lines(self) -> list[str]:
        """Return the advice in sentences."""
        return [
            "another kind of member: unknown, a single member has no path of greedy selection"
            if self.another_member is None
            else f"another kind of member: {self.another_member:+.4f} expected, from the path of greedy selection",
            "another seed: unknown, no two members differ only in their seed"
            if self.another_seed is None
            else f"another seed: {self.another_seed:+.4f}, the mean gain of members that differ only in their seed",
            self._verdict(),
        ]

    def _verdict(self) -> str:
        known = [gain for gain in (self.another_member, self.another_seed) if gain is not None]
        if not known:
            return "add a second member, as different from the first as possible"
        beyond = max(known) > self.standard_error
        size = "more than" if beyond else "no more than"
        return f"{size} one standard error of the accuracy ({self.standard_error:.4f}): " + (
            "worth a try" if beyond else "more labelled photographs are more likely to help"
        )


def outlook(problem: Problem, worth: Worth, recipes: Sequence[dict[str, Any] | None], rounds: int) -> Outlook:
    """Follow the path of greedy selection in every part; `recipes` show which members differ only in their seed."""
    path = _held_out_path(problem, rounds)
    error = float(np.sqrt(path[-1] * (1 - path[-1]) / len(problem.labels)))
    return Outlook(path, _one_more(1 - path), _second_seed(worth, recipes), error)


def _held_out_path(problem: Problem, rounds: int) -> Array:
    correct = np.zeros(problem.members)
    for rows in problem.held_out:
        greedy, logits = GreedySelection(rounds), problem.logits[:, : problem.members]
        others = problem.rows_for(rows, _MOST_ROWS)
        greedy.fit(take_rows(logits, others), problem.labels[others], problem.folds[others])
        path = [shares(prefix, problem.members) for prefix in _prefixes(greedy.picks_, problem.members)]
        for some in pieces(rows):
            X, labels = take_rows(logits, some), problem.labels[some]
            correct += [correct_count(blended(X, weights, 0.0), labels) for weights in path]
    return correct / len(problem.labels)


def _prefixes(picks: list[int], members: int) -> list[list[int]]:
    """Return the path up to each new member; the whole path when no further one is added."""
    new = [size for size in range(1, len(picks)) if picks[size] not in picks[:size]]
    ends = [*new, len(picks)]
    return [picks[: ends[min(number, len(ends) - 1)]] for number in range(members)]


def _one_more(errors: Array) -> float | None:
    """Return the decrease of a + b / k from k to k + 1, for the best a, b >= 0; at most the errors that are left."""
    from scipy.optimize import nnls

    members = len(errors)
    if members < 2:
        return None
    k = np.arange(1, members + 1)
    b = float(nnls(np.stack([np.ones(members), 1 / k], axis=1), errors)[0][1])
    return min(b / (members * (members + 1)), float(errors[-1]))


def _second_seed(worth: Worth, recipes: Sequence[dict[str, Any] | None]) -> float | None:
    """Return the mean gain, over the blend of all others, of the members that have a twin."""
    twins = {
        member
        for pair in itertools.combinations(range(len(recipes)), 2)
        if _only_seed_differs(*(recipes[member] for member in pair))
        for member in pair
    }
    return float(np.mean([worth.members[member].gain.difference for member in twins])) if twins else None


def _only_seed_differs(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    if one is None or other is None or one == other:
        return False
    return {**one, "seed": 0} == {**other, "seed": 0}
