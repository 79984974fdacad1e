"""Recipes to grow an ensemble from: members in a YAML file, each with the value that it is expected to have."""

from __future__ import annotations

from collections.abc import Sequence

import yaml
from pydantic import ValidationError

from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.yaml import load_yaml


def load_portfolio(path: Location) -> list[MemberSettings]:
    """Read the members of a portfolio: a YAML file with the list `members`, as in a config.

    Raises
    ------
    UserError
        It is missing, or not such a file.
    """
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"portfolio {path}: {(error.strerror or str(error)).lower()}; name another with --portfolio"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"portfolio {path} is not valid YAML: {' '.join(str(error).split())}") from None
    members = raw.get("members") if isinstance(raw, dict) else None
    if not members or not isinstance(members, list):
        raise UserError(f"portfolio {path}: it must have a list of members, as a config has")
    try:
        return list(Experiment.model_validate({"name": "portfolio", "members": members}).members)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"portfolio {path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


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
