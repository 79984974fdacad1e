"""Members built from their recipes. The framework knows members only by their import path."""

from __future__ import annotations

import copy
import importlib
import inspect
import warnings
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ensemble.config.members import MemberSettings
from ensemble.config.settings import Recipe
from ensemble.core.console.text import did_you_mean
from ensemble.core.errors import UserError


class Model(Protocol):
    """A scikit-learn classifier over photographs (uint8, (n, height, width, 3), RGB) or over their features.

    Two optional capabilities, both plain attributes: `reads_rows_lazily = True` says that `X` is only ever used as
    `len(X)`, `X.shape`, `X.dtype` and `X[rows]`, so that photographs need not be copied; `on_progress` is set to a
    function of (fraction done in [0, 1], text) that `fit` may call.
    """

    def fit(self, X: Any, y: NDArray[np.int64]) -> Any:
        """Fit to photographs (or features) and labels 0/1."""

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return probabilities (n, 2); the second column is that of fake."""


class Transformer(Protocol):
    """A stateless scikit-learn transformer of photographs into a float32 matrix."""

    def transform(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return columns for each photograph; they do not depend on the other photographs."""


class Spectra(Transformer, Protocol):
    """Features that are spectra, and can be looked at. The first columns are the curve of the luminance."""

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Cycles a pixel of these first columns (points,)."""

    def picture(self, photograph: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return log10 power (height, width) of a photograph (height, width, 3), zero frequency in the centre."""


def import_object(path: str) -> Any:
    """Return the object at `package.module.Name`."""
    module, _, name = str(path).rpartition(".")
    if not module or module.startswith("."):
        raise UserError(f"{path!r} is not an import path; write it as package.module.Name")
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"cannot import {path}: there is no module {error.name!r}; is it installed?") from None
    except (Exception, SystemExit) as error:  # what a module of anybody may do when it is imported
        raise UserError(f"cannot import {path}: {reason_of(error)}") from error
    if not hasattr(imported, name):
        near = did_you_mean(name, [known for known in dir(imported) if not known.startswith("_")])
        raise UserError(f"cannot import {path}: module {module} has no {name}; {near}")
    return getattr(imported, name)


def build(recipe: Recipe | dict[str, Any]) -> Any:
    """Build the object of a recipe; recipes among its parameters, at any depth, are built first."""
    try:
        recipe = Recipe.model_validate(recipe) if isinstance(recipe, dict) else recipe
    except ValidationError:
        raise UserError(f"{recipe['use']!r} is not an import path; write it as package.module.Name") from None  # type: ignore[index]
    factory = import_object(recipe.use)
    parameters = {name: _build_nested(value) for name, value in recipe.parameters.items()}
    try:
        return factory(**parameters)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # of any class
        raise UserError(f"cannot build {recipe.use}: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Return what an error of any package says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _build_nested(value: Any) -> Any:
    if isinstance(value, dict):
        if "use" in value:
            return build(value)
        if value.keys() == {"import"}:  # a function or class itself
            return import_object(value["import"])
        if value.keys() == {"tuple"} and isinstance(value["tuple"], list | tuple):
            return tuple(_build_nested(item) for item in value["tuple"])
        return {key: _build_nested(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_build_nested(item) for item in value]
    return value


def build_model(member: MemberSettings, fold: int) -> Model:
    """Return the unfitted classifier of a fold, seeded by the member's seed plus the fold, with `num_cpus` threads."""
    model = build(member.model)
    check_classifier(model, member.model.use)
    parameters = model.get_params(deep=True)
    seeds = {key: member.seed + fold for key in _ending_in(parameters, "random_state") if parameters[key] is None}
    threads = {key: member.resources.num_cpus for key in _ending_in(parameters, "n_jobs") if _threaded(model, key)}
    seeded: Model = model.set_params(**seeds, **threads, **_by_other_names(model, member, fold))
    return seeded


def check_classifier(model: Any, use: str) -> None:
    """Raise a `UserError` unless a model is a probabilistic classifier, or may be one once it is fitted."""
    for method in ("fit", "get_params", "set_params"):
        if not hasattr(model, method):
            raise UserError(
                f"{use} has no {method}, so it is not a scikit-learn classifier; derive the class from "
                "sklearn.base.ClassifierMixin and sklearn.base.BaseEstimator"
            )
    reason = _no_probabilities(model)
    if reason and not (hasattr(type(model), "predict_proba") and _has_probabilities_once_fitted(model)):
        raise UserError(
            f"{use} gives no probabilities ({reason}); choose a classifier with predict_proba, or wrap it in "
            "sklearn.calibration.CalibratedClassifierCV"
        )


def _no_probabilities(model: Any) -> str:
    """Return why a model has no `predict_proba`, in its own words; empty if it has one."""
    try:
        model.predict_proba  # noqa: B018
    except AttributeError as error:
        return str(error.__cause__ or error)
    return ""


def _has_probabilities_once_fitted(model: Any) -> bool:
    """Fit a copy to a small table: some estimators know what they can do only then, such as a stack."""
    X, y = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return hasattr(copy.deepcopy(model).fit(X + y[:, None], y), "predict_proba")
    except Exception:  # it may need photographs
        return False


_SEEDS = ("random_state", "random_seed", "seed")
_THREADS = ("n_jobs", "thread_count", "num_threads", "nthread", "n_threads")


def _by_other_names(model: Any, member: MemberSettings, fold: int) -> dict[str, int]:
    """Return seeds and threads of estimators that know them by other names than scikit-learn's, at any depth.

    Some, such as CatBoost, list only those parameters that were set; then the constructor says what they take.
    """
    found: dict[str, int] = {}
    for prefix, part in {"": model, **model.get_params(deep=True)}.items():
        if isinstance(part, type) or not hasattr(part, "get_params"):
            continue
        listed, takes = part.get_params(deep=False), _arguments(type(part))
        for names, value in ((_SEEDS, member.seed + fold), (_THREADS, member.resources.num_cpus)):
            name = next((name for names_of in (listed, takes) for name in names if name in names_of), names[0])
            chosen = names is _SEEDS and any(listed.get(other) is not None for other in names)
            if names[0] not in listed and name in {*listed, *takes} and not chosen:
                found[f"{prefix}__{name}" if prefix else name] = value
    return found


def _arguments(kind: type) -> list[str]:
    try:
        return list(inspect.signature(kind).parameters)
    except (TypeError, ValueError):  # a class without a signature
        return []


def build_features(member: MemberSettings) -> Transformer | None:
    """Return the transformer in front of the classifier, if the member has one."""
    if member.features is None:
        return None
    features: Transformer = build(member.features)
    if not hasattr(features, "transform"):
        raise UserError(
            f"{member.features.use} has no transform, so it computes no features; name a transformer, or move "
            "it to model"
        )
    return features


def _threaded(model: Any, key: str) -> bool:
    """Return whether `n_jobs` must be set: scikit-learn reads None as one job, others as all cores."""
    parameters = model.get_params(deep=True)
    owner = parameters.get(key.rpartition("__")[0], model)
    return parameters[key] is not None or not type(owner).__module__.startswith("sklearn.")


def _ending_in(parameters: dict[str, Any], suffix: str) -> list[str]:
    return [key for key in parameters if key == suffix or key.endswith(f"__{suffix}")]
