"""What next: whether another backbone, seed or cut of folds is likely to gain more than chance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.blend.base import Array, take_rows
from ensemble.blend.greedy import GreedySelection, shares
from ensemble.blend.nested import Problem
from ensemble.metrics import is_right, to_probabilities


@dataclass(frozen=True)
class Outlook:
    """What the members so far tell about one more.

    Attributes
    ----------
    path : float64 (k,)
        Held-out accuracy of greedy selection stopped at one, two, ... unlike members, each fitted on the other folds.
    another_member : float
        What one more as unlike as these is expected to gain: the path's errors as a + b / k, taken one further.
    another_seed : float or None
        What a second seed gained, over pairs of members that differ by nothing else; None where there are none.
    standard_error : float
        Of the accuracy at the path's end.
    """

    path: Array
    another_member: float
    another_seed: float | None
    standard_error: float

    def lines(self) -> list[str]:
        """Advice in words."""
        gained = f"another unlike member: {self.another_member:+.4f} expected, from the path of greedy selection"
        seed = (
            "another seed or cut of folds: not known, no two members differ by their seed alone"
            if self.another_seed is None
            else f"another seed, or the same members on another cut of folds: {self.another_seed:+.4f}, "
            "as pairs of members that differ by their seed alone gained"
        )
        most = max(self.another_member, self.another_seed or 0.0)
        verdict = (
            f"that is below one standard error ({self.standard_error:.4f}): these rows could not show it"
            if most < self.standard_error
            else f"that is above one standard error ({self.standard_error:.4f}): worth a try"
        )
        return [gained, seed, verdict]


def outlook(problem: Problem, recipes: Sequence[dict[str, Any] | None], rounds: int) -> Outlook:
    """Follow the path of greedy selection in every part; `recipes` tell which members differ by their seed alone."""
    path = _held_out_path(problem, rounds)
    error = float(np.sqrt(path[-1] * (1 - path[-1]) / len(problem.labels)))
    return Outlook(path, _one_more(1 - path), _second_seed(problem, recipes), error)


def _held_out_path(problem: Problem, rounds: int) -> Array:
    right = np.zeros(problem.members)
    for rows in problem.held_out():
        greedy, logits = GreedySelection(rounds), problem.logits[:, : problem.members]
        others = problem.rows_for(greedy, rows)
        greedy.fit(take_rows(logits, others), problem.labels[others], problem.folds[others])
        held = take_rows(logits, rows)
        for place, prefix in enumerate(_prefixes(greedy.picks_, problem.members)):
            decided = held @ shares(prefix, problem.members)
            right[place] += is_right(to_probabilities(decided), problem.labels[rows]).sum()
    return right / len(problem.labels)


def _prefixes(picks: list[int], members: int) -> list[list[int]]:
    """The path before each new member comes in; its whole where no further one does."""
    new = [size for size in range(1, len(picks)) if picks[size] not in picks[:size]]
    ends = [*new, len(picks)]
    return [picks[: ends[min(place, len(ends) - 1)]] for place in range(members)]


def _one_more(errors: Array) -> float:
    """How much a + b / k falls from k to k + 1, for the a and b >= 0 that fit best."""
    k = np.arange(1, len(errors) + 1)
    if len(errors) < 2:
        return 0.0
    b = max(float(np.polyfit(1 / k, errors, 1)[0]), 0.0)
    return b / (len(errors) * (len(errors) + 1))


def _second_seed(problem: Problem, recipes: Sequence[dict[str, Any] | None]) -> float | None:
    labels, gains = problem.labels, []
    for one, other in itertools.combinations(range(problem.members), 2):
        if _only_seed_differs(recipes[one], recipes[other]):
            pair = problem.logits[:, [one, other]]
            alone = np.mean([is_right(to_probabilities(column), labels).mean() for column in pair.T])
            gains.append(float(is_right(to_probabilities(pair.mean(axis=1)), labels).mean() - alone))
    return float(np.mean(gains)) if gains else None


def _only_seed_differs(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    if one is None or other is None or one == other:
        return False
    return {**one, "seed": 0} == {**other, "seed": 0}
