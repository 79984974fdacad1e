"""Which members run: all, or with a budget those that fit, reconsidered whenever more is known of their speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from ensemble.config.members import MemberSettings
from ensemble.config.settings import Recipe
from ensemble.engine.resources import Job
from ensemble.training.budget import Budget
from ensemble.training.member_run import MemberRun

Jobs = Callable[[MemberSettings, bool], Sequence[Job]]  # of a member, with those of its features or without


def choose(
    runs: Sequence[MemberRun],
    started: Collection[str],
    finished: Collection[MemberSettings],
    jobs: Jobs,
    span: Callable[[Sequence[Job]], float],
    budget: Budget,
) -> list[str]:
    """Return the names of the members that a budget has room for, of those with open folds; `started` ones go first.

    A member that no pilot could measure is chosen when no other is left: its first fold shows its speed.

    Parameters
    ----------
    finished : collection of MemberSettings
        Members of the experiment whose folds are all stored.
    jobs : callable
        Remaining work of a member, with that of its features or without.
    span : callable
        Seconds that jobs take together.
    """
    order = by_gain([run.member for run in runs], started, finished)

    def limit(member: MemberSettings) -> float:
        return budget.left if member.name in started else budget.left_to_promise

    chosen = that_fit(order, jobs, span, limit)
    unmeasured = {run.name for run in runs if not run.measured}
    chosen = chosen or [member for member in order if member.name in started or member.name in unmeasured][:1]
    return [member.name for member in chosen]


def by_gain(
    members: Collection[MemberSettings], started: Collection[str], finished: Iterable[MemberSettings]
) -> list[MemberSettings]:
    """Return members in the order of their expected gain.

    Those that have `started` come first, for half a member is worth little. Then by expected gain: the `value` that the
    config gives, halved, cut to a third, ... where one, two, ... of the same kind are `finished` or come before: a
    blend gains from members that err differently. Equal ones keep the order of the config.
    """
    kinds = Counter(family_of(member) for member in finished)
    left, found = list(members), []
    while left:
        best = max(
            left, key=lambda m: (m.name in started, m.value / (1 + kinds[family_of(m)]))
        )  # the first of equal ones
        left.remove(best)
        kinds[family_of(best)] += 1
        found.append(best)
    return found


def family_of(member: MemberSettings) -> tuple[str, str]:
    """Return what members of one family share: their features and their kind of model."""
    return (member.features.use if member.features else "", member.model.use)


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
