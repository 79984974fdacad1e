"""What fits into the time left: whole members, the most valuable first, as far as their speeds are known."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ensemble.config import MemberSettings, Recipe
from ensemble.engine.resources import Job

_LAST = 0.03  # of the budget is reserved for the last blend and the reports
_LAST_AT_LEAST, _LAST_AT_MOST = 7.0, 60.0  # seconds


class Budget:
    """Seconds that a run may take from its start, reports included.

    Parameters
    ----------
    seconds : float
        Infinite where there is no limit.
    started : float
        When the run started, of `time.monotonic`.
    """

    def __init__(self, seconds: float, started: float) -> None:
        self.seconds = seconds
        last = min(max(seconds * _LAST, _LAST_AT_LEAST), _LAST_AT_MOST, seconds / 2)
        self.deadline = started + seconds - (last if math.isfinite(seconds) else 0.0)

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return math.isfinite(self.seconds)

    @property
    def left(self) -> float:
        """Seconds in which tasks may run."""
        return max(self.deadline - time.monotonic(), 0.0)


@dataclass(frozen=True)
class Limits:
    """Time limits: each fold may take `timeout` seconds, and the whole run its budget."""

    timeout: float = math.inf
    budget: Budget = field(default_factory=lambda: Budget(math.inf, 0.0))


UNLIMITED = Limits()


def by_gain(
    members: Collection[MemberSettings], started: Collection[str], finished: Iterable[MemberSettings]
) -> list[MemberSettings]:
    """Return members in the order of their expected gain.

    Those that have `started` come first, for half a member is worth little. Then by expected gain: the `value` that the
    config gives, halved, cut to a third, ... where one, two, ... of the same kind are `finished` or come before: a
    blend gains from members that err differently. Equal ones keep the order of the config.
    """
    kinds = Counter(_kind(member) for member in finished)
    left, found = list(members), []
    while left:
        best = max(left, key=lambda m: (m.name in started, m.value / (1 + kinds[_kind(m)])))  # the first of equal ones
        left.remove(best)
        kinds[_kind(best)] += 1
        found.append(best)
    return found


def _kind(member: MemberSettings) -> tuple[str, str]:
    """Return what members of one kind share: their features and their sort of model."""
    return (member.features.use if member.features else "", member.model.use)


Jobs = Callable[[MemberSettings, bool], Sequence[Job]]  # of a member, with those of its features or without


def that_fit(
    members: Iterable[MemberSettings],
    jobs: Jobs,
    span: Callable[[Sequence[Job]], float],
    limit: Callable[[MemberSettings], float],
) -> list[MemberSettings]:
    """Return those members, given in the order of their gain, that can be finished together.

    `span` is the time from the first job to the last; a member is chosen where that is within its `limit`, in seconds.
    """
    chosen: list[MemberSettings] = []
    for member in members:
        more = [*chosen, member]
        if span(all_jobs(more, jobs)) <= limit(member):
            chosen = more
    return chosen


def all_jobs(members: Sequence[MemberSettings], jobs: Jobs) -> list[Job]:
    """Return the work of several members; features that they share are computed once."""
    found: list[Job] = []
    recipes: list[Recipe | None] = []
    for member in members:
        found += jobs(member, member.features not in recipes)
        recipes.append(member.features)
    return found
