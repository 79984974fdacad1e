"""The kind of learner that a recipe makes, in words: for readers who do not know import paths."""

from __future__ import annotations

import re
from typing import Any

from ensemble.store.record import IMPORTED_RECIPE

_KNOWN = {
    "LGBMClassifier": "gradient-boosted trees (LightGBM)",
    "XGBClassifier": "gradient-boosted trees (XGBoost)",
    "CatBoostClassifier": "gradient-boosted trees (CatBoost)",
    "HistGradientBoostingClassifier": "gradient-boosted trees",
    "GradientBoostingClassifier": "gradient-boosted trees",
    "RandomForestClassifier": "random forest",
    "ExtraTreesClassifier": "extremely randomised trees",
    "LogisticRegression": "logistic regression",
    "CalibratedRidge": "ridge regression",
    "RidgeClassifier": "ridge regression",
    "LinearDiscriminantAnalysis": "linear discriminant analysis",
    "QuadraticDiscriminantAnalysis": "quadratic discriminant analysis",
    "SVC": "support vector machine",
    "LinearSVC": "linear support vector machine",
    "KNeighborsClassifier": "nearest neighbours",
    "GaussianNB": "naive Bayes",
    "MLPClassifier": "small neural network",
}
_PREPARING = {"StandardScaler": "scaled columns", "PCA": "principal components"}
_HOLDERS = {"Pipeline", "CalibratedClassifierCV"}  # of others, which are named themselves
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_PLAIN = re.compile(r"[\w .+-]{1,40}")


def kind_of(recipe: dict[str, Any]) -> str:
    """Describe a member in one line: its learner, and the features in front of it.

    Examples
    --------
    >>> kind_of({"model": {"use": "lightgbm.LGBMClassifier"}, "features": {"use": "members.forensics.LogDCT"}})
    'gradient-boosted trees (LightGBM) on log DCT'
    """
    if IMPORTED_RECIPE in recipe:
        return "trained elsewhere; only its predictions came here"
    paths = [path.rpartition(".")[2] for path, _ in built_objects(recipe.get("model"))]
    prepared = [_PREPARING[name] for name in paths if name in _PREPARING]
    model = _listed(recipe.get("model")) or "not known"
    model += f" ({', '.join(prepared)})" if prepared else ""
    features = _listed(recipe.get("features"))
    return f"{model} on {features}" if features else f"{model}, which reads the pixels"


def _listed(recipe: Any) -> str:
    """Name what a recipe builds, except containers and scalers."""
    parts = [_named(path, parameters) for path, parameters in built_objects(recipe)]
    return ", ".join(part for part in parts if part)


def built_objects(value: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return import path and parameters of everything that a recipe builds, at any depth, outermost first."""
    if isinstance(value, dict):
        here = [(value["use"], value)] if isinstance(value.get("use"), str) else []
        return here + [found for inner in value.values() for found in built_objects(inner)]
    if isinstance(value, list | tuple):
        return [found for inner in value for found in built_objects(inner)]
    return []


def _named(path: str, parameters: dict[str, Any]) -> str:
    """Name a class in words; an unknown one with those of its parameters that are words, never a path."""
    name = path.rpartition(".")[2]
    if name in _HOLDERS or name in _PREPARING:
        return ""
    if name in _KNOWN:
        return _KNOWN[name]
    parameters_shown = [f"{key} {value}" for key, value in parameters.items() if key != "use" and _is_word(value)]
    words = " ".join(word if word.isupper() else word.lower() for word in _WORD.findall(name)) or name
    return f"{words}: {', '.join(parameters_shown)}" if parameters_shown else words


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and _PLAIN.fullmatch(value) is not None
