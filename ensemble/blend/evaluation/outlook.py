"""What next: whether another backbone, seed or cut of folds is likely to gain more than chance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.blend.blenders.base import blended, pieces, take_rows
from ensemble.blend.blenders.greedy import GreedySelection, shares
from ensemble.blend.evaluation.nested import Problem
from ensemble.blend.evaluation.worth import Worth
from ensemble.core.arrays import Array
from ensemble.core.metrics.decisions import right_count

_MOST_ROWS = 30_000  # tell whom greedy selection takes first


@dataclass(frozen=True)
class Outlook:
    """What the members so far tell about one more.

    Attributes
    ----------
    path : float64 (k,)
        Held-out accuracy of greedy selection stopped at one, two, ... unlike members, each fitted on the other folds.
    another_member : float or None
        What one more as unlike as these is expected to gain: the path's errors as a + b / k (a, b >= 0), taken one
        further. None for a single member, of which there is no path.
    another_seed : float or None
        What the blend gained by members of which another differs by its seed alone; None where there are none.
    standard_error : float
        Of the accuracy at the path's end.
    """

    path: Array
    another_member: float | None
    another_seed: float | None
    standard_error: float

    def lines(self) -> list[str]:
        """Advice in words."""
        return [
            "another unlike member: not known of a single one"
            if self.another_member is None
            else f"another unlike member: {self.another_member:+.4f} expected, from the path of greedy selection",
            "another seed: not known, no two members differ by their seed alone"
            if self.another_seed is None
            else f"another seed: {self.another_seed:+.4f}, as members gained that have a twin of another seed",
            "another cut of folds: not measured; it trains the same recipes anew, as another seed does",
            self._verdict(),
        ]

    def _verdict(self) -> str:
        known = [gain for gain in (self.another_member, self.another_seed) if gain is not None]
        if not known:
            return "add a second member, as unlike the first as can be"
        beyond = max(known) > self.standard_error
        what = "more than" if beyond else "no more than"
        return f"{what} one standard error of the accuracy ({self.standard_error:.4f}): " + (
            "worth a try" if beyond else "photographs with labels are likelier to help"
        )


def outlook(problem: Problem, found: Worth, recipes: Sequence[dict[str, Any] | None], rounds: int) -> Outlook:
    """Follow the path of greedy selection in every part; `recipes` tell which members differ by their seed alone."""
    path = _held_out_path(problem, rounds)
    error = float(np.sqrt(path[-1] * (1 - path[-1]) / len(problem.labels)))
    return Outlook(path, _one_more(1 - path), _second_seed(found, recipes), error)


def _held_out_path(problem: Problem, rounds: int) -> Array:
    right = np.zeros(problem.members)
    for rows in problem.held_out:
        greedy, logits = GreedySelection(rounds), problem.logits[:, : problem.members]
        others = problem.rows_for(rows, _MOST_ROWS)
        greedy.fit(take_rows(logits, others), problem.labels[others], problem.folds[others])
        path = [shares(prefix, problem.members) for prefix in _prefixes(greedy.picks_, problem.members)]
        for some in pieces(rows):
            held, labels = take_rows(logits, some), problem.labels[some]
            right += [right_count(blended(held, weights, 0.0), labels) for weights in path]
    return right / len(problem.labels)


def _prefixes(picks: list[int], members: int) -> list[list[int]]:
    """The path before each new member comes in; its whole where no further one does."""
    new = [size for size in range(1, len(picks)) if picks[size] not in picks[:size]]
    ends = [*new, len(picks)]
    return [picks[: ends[min(place, len(ends) - 1)]] for place in range(members)]


def _one_more(errors: Array) -> float | None:
    """How much a + b / k falls from k to k + 1, for the a, b >= 0 that fit best; no more than there are errors left."""
    from scipy.optimize import nnls

    members = len(errors)
    if members < 2:
        return None
    k = np.arange(1, members + 1)
    b = float(nnls(np.stack([np.ones(members), 1 / k], axis=1), errors)[0][1])
    return min(b / (members * (members + 1)), float(errors[-1]))


def _second_seed(found: Worth, recipes: Sequence[dict[str, Any] | None]) -> float | None:
    """The mean gain, to the blend of all others, of the members that have a twin."""
    twins = {
        member
        for pair in itertools.combinations(range(len(recipes)), 2)
        if _only_seed_differs(*(recipes[member] for member in pair))
        for member in pair
    }
    return float(np.mean([found.members[member].gain.difference for member in twins])) if twins else None


def _only_seed_differs(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    if one is None or other is None or one == other:
        return False
    return {**one, "seed": 0} == {**other, "seed": 0}
