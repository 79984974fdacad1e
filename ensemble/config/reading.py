"""Reading an experiment: every fault of the file is named with its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from ensemble.config.experiment import BlendSettings, DataSettings, Experiment, FoldSettings, ReportSettings
from ensemble.config.members import MemberSettings, PseudoLabels, Resources
from ensemble.config.shipped import find_config, known_configs
from ensemble.core.console.text import did_you_mean
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.yaml import load_yaml


def load_experiment(path: Location) -> Experiment:
    """Read and validate a YAML file, or the config of that name that comes with the package.

    Raises
    ------
    UserError
        The file is missing, is not YAML, or has invalid settings; every error is listed with its place.
    """
    path = find_config(path)
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except IsADirectoryError:
        of_a_store = path / "experiment.yaml"
        raise UserError(f"config {path} is a folder; give a YAML file, such as {of_a_store} of a store") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise UserError(f"config {path}: {reason}; configs that are known: {', '.join(known_configs())}") from None
    except ValueError as error:
        raise UserError(f"config {path} is not valid YAML: {error}") from None
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"config {path}: " + "; ".join(_faults(error.errors()))) from None


def _faults(faults: Sequence[Any]) -> list[str]:
    """Describe faults; that a list is too short is none where its entries are faulty, which are then left out."""
    places = [fault["loc"] for fault in faults]
    inside = {place[:depth] for place in places for depth in range(len(place))}
    return [_fault(fault) for fault in faults if fault["type"] != "too_short" or fault["loc"] not in inside]


def _settings(place: Sequence[int | str]) -> list[str]:
    """Return the names of the settings among which one was given that does not exist."""
    section = next((str(part) for part in reversed(place[:-1]) if isinstance(part, str)), "")
    return list(_SECTIONS.get(section, Experiment).model_fields)


_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataSettings,
    "folds": FoldSettings,
    "members": MemberSettings,
    "resources": Resources,
    "pseudo_labels": PseudoLabels,
    "features_resources": Resources,
    "blend": BlendSettings,
    "report": ReportSettings,
}


def _fault(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "the whole file"
    if fault["type"] == "extra_forbidden":
        return f"{place}: there is no such setting; {did_you_mean(str(fault['loc'][-1]), _settings(fault['loc']))}"
    return f"{place}: {_PLAIN.get(fault['type']) or fault['msg'].removeprefix('Value error, ')}"


_PLAIN = {  # type of a fault -> what pydantic words for programmers
    "missing": "it is missing",
    "model_type": "it must be settings, such as name: value",
    "dict_type": "it must be settings, such as name: value",
    "tuple_type": "it must be a list",
    "too_short": "it must not be empty",
    "invalid_key": "the name of a setting must be a text",
    "string_type": "it must be a text",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_parsing_size": "it is too large",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a finite number",
    "bool_parsing": "it must be true or false",
}
