"""Recipes to grow an ensemble from: the members of another config, each with the value that it is expected to have."""

from __future__ import annotations

from collections.abc import Sequence

from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.errors import UserError


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
            raise UserError(f"the portfolio's {member.name} is not the config's: give one of them another name")
        found[member.name.lower()] = member
    return list(found.values())
