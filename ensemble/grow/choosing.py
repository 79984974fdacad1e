"""Which candidate comes next: the one with the largest expected gain a second, of those that can be finished in time.

What a candidate gains is unknown before it is trained. Its `value` says what it has gained elsewhere; each member of
its kind that was kept makes another one worth less, since a blend gains from members that err differently, and each
that was dropped makes it worth less still.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.errors import UserError
from ensemble.engine.features.cache import chunk_rows
from ensemble.engine.resources import Job, requested
from ensemble.engine.tasks.failures import Cancelled
from ensemble.store.context import RunContext
from ensemble.store.grown import GrowthStep
from ensemble.training.budget import Budget
from ensemble.training.pilots import run_pilots
from ensemble.training.plan import plan_folds
from ensemble.training.selection import family_of
from ensemble.training.speeds import speeds_of

Tried = tuple[MemberSettings, GrowthStep]

_TRIED_AHEAD: Final = 3  # candidates whose speed is measured before one of them is chosen
_COST_OF_DROPPED: Final = 2.0  # beside one that was kept
_STEP: Final = 2**0.5  # estimated costs are rounded to its powers: small differences of a pilot decide nothing


def candidates(experiment: Experiment, portfolio: Sequence[MemberSettings]) -> list[MemberSettings]:
    """Return the members of the config, then those of the portfolio that make other predictions.

    Raises
    ------
    UserError
        Two that differ have one name.
    """
    found = {member.name.lower(): member for member in experiment.members}
    for member in portfolio:
        if any(member.recipe == other.recipe for other in found.values()):
            continue
        if member.name.lower() in found:
            raise UserError(
                f"the portfolio and the config have different members named {member.name}; rename one of them"
            )
        found[member.name.lower()] = member
    return list(found.values())


def expected_gain(member: MemberSettings, tried: Sequence[Tried]) -> float:
    """Return the expected gain of a candidate, beside 1 of the first one of value 1."""
    outcomes = [step.outcome for other, step in tried if family_of(other) == family_of(member)]
    kept = outcomes.count("kept")
    return member.value / (1 + kept + _COST_OF_DROPPED * (len(outcomes) - kept))


def gain_per_second(gain: float, seconds: float) -> float:
    """Return a gain a second, of seconds rounded to a power."""
    rounded = _STEP ** round(math.log(max(seconds, 1.0), _STEP))
    return float(gain / rounded)


class Chooser:
    """Chooser of candidates by expected gain a second.

    Parameters
    ----------
    names : sequence of str
        Of all candidates. Speeds are those that the store has, and others are measured by pilots.
    photographs : int
        Of training and test.
    """

    def __init__(self, context: RunContext, names: Sequence[str], budget: Budget, photographs: int) -> None:
        self._context, self._budget, self._photographs = context, budget, photographs
        self._speeds = speeds_of(context.store, names, context.ledger.n_folds)
        self._slow: set[str] = set()  # whose pilots were cut short: later there is less time still
        self._unmeasured: set[str] = set()  # whose pilots failed

    def next(self, members: Sequence[MemberSettings], tried: Sequence[Tried]) -> MemberSettings | None:
        """Return the next one of some candidates; None if none can be finished in time.

        The most promising ones are measured first, if nobody has; where none of these fits, further ones are. One
        whose pilot failed, which may have had too few photographs, comes last: nobody knows how long it takes.
        """
        left = sorted(members, key=lambda member: -expected_gain(member, tried))
        while left:
            promising, left = left[:_TRIED_AHEAD], left[_TRIED_AHEAD:]
            attempted = self._slow | self._unmeasured
            unknown = [m for m in promising if not self._speeds.known(m.name) and m.name not in attempted]
            failed = run_pilots(self._context, unknown, self._budget, self._speeds) if unknown else {}
            slow = {name for name, failure in failed.items() if isinstance(failure, Cancelled)}
            self._slow |= slow
            self._unmeasured |= failed.keys() - slow
            measured = [member for member in members if self._speeds.known(member.name)]
            seconds = {member.name: self.seconds(member, tried) for member in measured}
            fitting = [member for member in measured if self.fits(seconds[member.name])]
            if fitting:
                rates = [gain_per_second(expected_gain(each, tried), seconds[each.name]) for each in fitting]
                return fitting[rates.index(max(rates))]
        return next((member for member in members if member.name in self._unmeasured), None)

    def measured(self, member: MemberSettings) -> None:
        """Take note of how long the folds of a candidate took: better than its pilot's estimate."""
        store, name = self._context.store, member.name
        for record in (store.record(name, fold) for fold in range(self._context.ledger.n_folds)):
            if record is not None:
                self._speeds.measured(name, record.finished - record.started)

    def missing(self, member: MemberSettings) -> int:
        """Return how many folds of a candidate are not stored."""
        context = self._context
        return len(plan_folds([member], context.ledger, context.competition, context.store).missing)

    def fits(self, seconds: float) -> bool:
        """Return whether something can be finished in time."""
        return seconds <= self._budget.left_to_promise

    def seconds(self, member: MemberSettings, tried: Sequence[Tried]) -> float:
        """Return how long a candidate is likely to take: its missing folds, and features that no other one has read."""
        missing = self.missing(member)
        if not missing:
            return 0.0
        jobs = [self._fold(member)] * missing
        if member.features is not None and all(other.features != member.features for other, _ in tried):
            each, resources = self._speeds.photograph(member.name), requested(member.features_resources)
            jobs += [(each * (rows.stop - rows.start), resources) for rows in chunk_rows(self._photographs)]
        return self._context.engine.span(jobs)

    def seconds_of_folds(self, members: Sequence[MemberSettings]) -> float:
        """Return how long folds, each named by its member, are likely to take where their features are known."""
        return self._context.engine.span([self._fold(member) for member in members])

    def _fold(self, member: MemberSettings) -> Job:
        return self._speeds.fold(member.name), requested(member.resources)
