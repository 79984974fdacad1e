"""Which candidate comes next: the one with the largest expected gain a second, of those that can be finished in time.

What a candidate gains nobody knows before it is trained. Its `value` says what it has gained elsewhere; each member of
its kind that was kept makes another one worth less, since a blend gains from members that err differently, and each
that was dropped makes it worth less still.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from ensemble.config.members import MemberSettings
from ensemble.grow.steps import GrowthStep
from ensemble.training.selection import kind_of

_SPARE: Final = 0.9  # of the time left may be promised to a candidate: estimates are off by some tenths
_COST_OF_DROPPED: Final = 2.0  # beside one that was kept
_STEP: Final = 2**0.5  # estimated costs are rounded to its powers: small differences of a pilot decide nothing


def expected_gain(member: MemberSettings, tried: Sequence[tuple[MemberSettings, GrowthStep]]) -> float:
    """Return the expected gain of a candidate, beside 1 of the first one of value 1."""
    alike = [step.outcome for other, step in tried if kind_of(other) == kind_of(member)]
    return member.value / (1 + alike.count("kept") + _COST_OF_DROPPED * (len(alike) - alike.count("kept")))


def gain_per_second(gain: float, seconds: float) -> float:
    """Return a gain a second, of seconds rounded to a power."""
    rounded = _STEP ** round(math.log(max(seconds, 1.0), _STEP))
    return float(gain / rounded)


def next_candidate(
    open_ones: Sequence[MemberSettings],
    tried: Sequence[tuple[MemberSettings, GrowthStep]],
    seconds: Callable[[MemberSettings], float],
    left: float,
) -> MemberSettings | None:
    """Return the next candidate; None if none can be finished in the seconds that are left."""
    fitting = [member for member in open_ones if seconds(member) <= _SPARE * left]
    if not fitting:
        return None
    return max(fitting, key=lambda member: gain_per_second(expected_gain(member, tried), seconds(member)))
