"""The space of a search: settings of a member by their paths, and members with other values of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ensemble.config.members import Choices, Interval, MemberSettings
from ensemble.core.console.text import did_you_mean
from ensemble.core.errors import UserError

if TYPE_CHECKING:
    import optuna

Values = dict[str, Any]  # by path


def current_values(member: MemberSettings) -> Values:
    """Return the values that a member has now: where a search begins, and what it is compared with.

    Raises
    ------
    UserError
        It has no space, a path of it leads nowhere, or the space does not hold the value that the member has.
    """
    if not member.tune:
        raise UserError(
            f"member {member.name} has nothing to search; add to it in the config, say, "
            "tune: {model.alpha: {low: 1, high: 1e5, log: true}}"
        )
    settings, found = member.model_dump(mode="json"), Values()
    for path, space in member.tune.items():
        holder, key = _holder(member, settings, path)
        if isinstance(holder, dict) and key not in holder:
            raise UserError(
                f"member {member.name}: tune: {path}: the member does not set it; set it in the config, to "
                "its default for example: the search starts there"
            )
        found[path] = holder[key]
        if not _holds(space, found[path]):
            raise UserError(
                f"member {member.name}: tune: {path}: its value {found[path]!r} is not in the search space; "
                "widen it: the search starts from that value"
            )
    return found


def with_values(member: MemberSettings, values: Mapping[str, Any], name: str) -> MemberSettings:
    """Return a member of that name with other values."""
    settings = member.model_dump(mode="json")
    for path, value in values.items():
        holder, key = _holder(member, settings, path)
        holder[key] = value
    return MemberSettings.model_validate({**settings, "name": name, "tune": {}})


def with_each_choice(member: MemberSettings) -> list[MemberSettings]:
    """Return the member with each value that is listed in its space, one at a time."""
    spaces = [(path, space) for path, space in member.tune.items() if isinstance(space, Choices)]
    return [with_values(member, {path: value}, member.name) for path, space in spaces for value in space.choices]


def without_values(member: MemberSettings, paths: Iterable[str]) -> dict[str, Any]:
    """Return what determines a member's predictions beside the settings at some paths."""
    settings = member.model_dump(mode="json")
    for path in paths:
        holder, key = _holder(member, settings, path)
        holder[key] = None
    return {name: settings[name] for name in member.recipe}


def distributions(member: MemberSettings) -> dict[str, optuna.distributions.BaseDistribution]:
    """Return the space as Optuna knows it; choices are texts of JSON there, since it knows no lists."""
    return {path: _distribution(each) for path, each in member.tune.items()}


def to_optuna(member: MemberSettings, values: Values) -> Values:
    """Return values as Optuna stores them."""
    return {path: json.dumps(v) if isinstance(member.tune[path], Choices) else v for path, v in values.items()}


def from_optuna(member: MemberSettings, params: Mapping[str, Any]) -> Values:
    """Return values that Optuna has stored."""
    return {path: json.loads(v) if isinstance(member.tune[path], Choices) else v for path, v in params.items()}


def _holds(space: Interval | Choices, value: Any) -> bool:
    if isinstance(space, Choices):
        return json.dumps(value) in map(json.dumps, space.choices)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and space.low <= value <= space.high and (not space.whole or value == int(value))


def _distribution(space: Interval | Choices) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(space, Choices):
        return CategoricalDistribution([json.dumps(choice) for choice in space.choices])
    if space.whole:
        return IntDistribution(int(space.low), int(space.high), log=space.log)
    return FloatDistribution(float(space.low), float(space.high), log=space.log)


def _holder(member: MemberSettings, settings: dict[str, Any], path: str) -> tuple[Any, Any]:
    """Return what holds the last part of a path, and this part; a number is a place in a list, from 0.

    All before the last part must be there.
    """
    *parts, last = path.split(".")
    found: Any = settings
    if not parts or parts[0] not in ("model", "features"):
        raise UserError(f"member {member.name}: tune: {path}: a path begins with model or features, as in model.alpha")
    for part in parts:
        known = _keys(found)
        if part not in known:
            near = did_you_mean(part, list(known))
            raise UserError(f"member {member.name}: tune: {path}: there is no {part}; {near}")
        found = found[known[part]]
    if last == "use":
        raise UserError(f"member {member.name}: tune: {path}: a class cannot be tuned; add a member of the other class")
    if isinstance(found, list):
        if last not in _keys(found):
            raise UserError(f"member {member.name}: tune: {path}: the list has the entries 0 to {len(found) - 1}")
        return found, int(last)
    if not isinstance(found, dict):
        raise UserError(f"member {member.name}: tune: {path}: {parts[-1]} has no settings")
    return found, last


def _keys(holder: Any) -> dict[str, Any]:
    """Return the keys of a mapping, or the places of a list, by how a path writes them."""
    if isinstance(holder, dict):
        return {str(key): key for key in holder}
    return {str(place): place for place in range(len(holder))} if isinstance(holder, list) else {}
