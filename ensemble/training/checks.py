"""Checks of every member before anything runs: hours of work must not end at a misspelt parameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ensemble.config.members import MemberSettings
from ensemble.core.console.text import did_you_mean
from ensemble.core.errors import UserError
from ensemble.engine.recipes.build import build_features, build_model, reason_of
from ensemble.engine.recipes.code import code_versions
from ensemble.store.oof import RECORD


def check_members(members: Iterable[MemberSettings]) -> None:
    """Build every member once, so that a misspelt path or parameter is found before hours of work."""
    for member in members:
        try:
            _check_origins(member)
            features, model = build_features(member), build_model(member, fold=0)
            _check_parameters(features)
            _check_parameters(model)
            if features is None:
                _check_reads_photographs(model)
            _check_unchanged(member)
        except (Exception, SystemExit) as error:  # code of any package: name the member that it belongs to
            raise UserError(f"member {member.name}: {reason_of(error)}") from None


def _check_origins(member: MemberSettings) -> None:
    """Refuse the model of one fold as initial weights of others: it has seen rows that they are scored on."""
    for value in _values([recipe.model_dump() for recipe in (member.features, member.model) if recipe is not None]):
        if isinstance(value, str) and _lies_in_a_fold(value):
            raise UserError(
                f"{value} is the model of a fold, which has learned rows that other folds are scored on; "
                "start from weights that have not seen the training photographs"
            )


def _lies_in_a_fold(path: str) -> bool:
    """Return whether a folder above, wherever a link leads, is a fold of a store."""
    with suppress(OSError, ValueError):  # most strings are no paths
        return any((folder / RECORD).exists() for folder in Path(path).expanduser().resolve().parents)
    return False


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _values(item)
    else:
        yield value


def _check_unchanged(member: MemberSettings) -> None:
    """Refuse code that was edited after this process imported it, as in a notebook: the old code would still run."""
    for path, version in code_versions(member.recipe).items():
        if _imported.setdefault(path, version) != version:
            raise UserError(f"{path} was edited after this process had imported it; restart Python and run again")


_imported: dict[str, str] = {}  # by import path: the version when this process first checked it


def _check_reads_photographs(model: Any) -> None:
    """Refuse a model that reads tables where a member has no features: it would get an array of four dimensions."""
    first = _first_step(model)
    if hasattr(first, "estimators") or type(first).__name__ in _PASS_ON:
        return
    if type(first).__module__.partition(".")[0] in _OF_TABLES:
        raise UserError(
            f"{type(first).__name__} reads tables, not photographs; this model needs a features: entry, such as "
            "features: {use: members.forensics.ForensicFeatures}"
        )


def _first_step(model: Any) -> Any:
    """Return what a pipeline, or a wrapper of an estimator, hands its input to."""
    while True:
        steps = getattr(model, "steps", None)
        if isinstance(steps, list):
            model = steps[0][1]
        elif hasattr(model, "estimator"):
            model = model.estimator
        else:
            return model


_PASS_ON = {"FunctionTransformer", "FeatureUnion", "ColumnTransformer", "DummyClassifier"}
_OF_TABLES = {"sklearn", "lightgbm", "xgboost", "catboost"}


def _check_parameters(model: Any) -> None:
    """Validate now what estimators otherwise validate when they are fitted, or never."""
    parts = [model, *model.get_params(deep=True).values()] if hasattr(model, "get_params") else [model]
    for part in (part for part in parts if not isinstance(part, type)):
        if hasattr(part, "_parameter_constraints"):  # scikit-learn's own declaration
            part._validate_params()
        if hasattr(part, "check_parameters"):  # an estimator's own way, where it has one
            part.check_parameters()
        if type(part).__module__.startswith("lightgbm."):  # it takes any keyword, and ignores unknown ones
            unknown = sorted(set(part._other_params) - _lightgbm_names())
            if unknown:
                near = did_you_mean(unknown[0], _lightgbm_names())
                raise UserError(f"LightGBM has no parameter {', '.join(unknown)}; {near}")


@cache
def _lightgbm_names() -> frozenset[str]:
    import lightgbm

    aliases = lightgbm.basic._ConfigAliases._get_all_param_aliases()
    return frozenset(aliases).union(*aliases.values())
