"""Which members run: all, or with a budget those that fit, reconsidered whenever more is known of their speed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ensemble.config import MemberSettings
from ensemble.engine.resources import Job
from ensemble.training.budget import Budget, Jobs, by_gain, that_fit
from ensemble.training.member_run import MemberRun

_SPARE = 0.9  # of the time left may be promised to a member that has not started: estimates are off by some tenths


@dataclass(frozen=True)
class Selection:
    """Chooses members for a budget.

    Attributes
    ----------
    finished : collection of MemberSettings
        Members of the experiment whose folds are all stored.
    jobs : callable
        Remaining work of a member, with that of its features or without.
    span : callable
        Seconds that jobs take together.
    """

    budget: Budget
    finished: Collection[MemberSettings]
    jobs: Jobs
    span: Callable[[Sequence[Job]], float]

    def choose(self, runs: Sequence[MemberRun], started: Collection[str]) -> list[str]:
        """Return the names of the members to run, of those with open folds; `started` ones go first.

        A member that no pilot could measure is chosen when no other is left: its first fold shows its speed.
        """
        order = by_gain([run.member for run in runs], started, self.finished)

        def limit(member: MemberSettings) -> float:
            return self.budget.left * (1 if member.name in started else _SPARE)

        chosen = that_fit(order, self.jobs, self.span, limit)
        unmeasured = {run.name for run in runs if not run.measured}
        chosen = chosen or [member for member in order if member.name in started or member.name in unmeasured][:1]
        return [member.name for member in chosen]
