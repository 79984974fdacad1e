"""What a member looks at: how its stored models share their weight among the families of its features.

A family is the part of a column's name before the first slash. Members whose features come from a network have none:
their columns are not asked for names, which would import the network's library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.arrays import Array
from ensemble.engine.recipes.build import build
from ensemble.engine.recipes.code import libraries_behind
from ensemble.engine.recipes.saving import LIGHTGBM, SKOPS, BoosterClassifier, load_model
from ensemble.report.facts.kinds import built_objects
from ensemble.store.oof import MODEL, OofStore
from ensemble.store.record import FoldRecord

GAIN = "gain"
COEFFICIENTS = "coefficients"
MEASURES = {
    GAIN: "share of the gain, that is of how much the splits on a family's columns lowered the training loss",
    COEFFICIENTS: "share of the absolute coefficients, each of a column that was scaled to a standard deviation of one",
}
_LARGEST = 20_000_000  # bytes of a model file: a report is written within seconds
_MOST_FAMILIES = 40
_NETWORKS = {"torch", "tensorflow", "jax"}


@dataclass(frozen=True)
class FamilyShares:
    """How a member's weight is shared among its families.

    Attributes
    ----------
    measure : str
        A key of `MEASURES`.
    table : DataFrame
        `family`, `columns` (how many), `share` (mean over folds), `deviation` (standard deviation over folds, NaN for
        one), `folds` (the share in each fold); the largest first, and the shares of a fold sum to one.
    """

    measure: str
    table: pd.DataFrame


def family_shares(store: OofStore, records: Sequence[FoldRecord]) -> FamilyShares | None:
    """Return the shares of one member; None where its columns have no families or its models have no weights.

    Only models of at most 20 MB that this framework stores by itself are read: LightGBM's text, and scikit-learn's
    linear models as skops files.
    """
    families = families_of(_columns(records[0].provenance.recipe))
    found = [weights for record in records for weights in _of_fold(store, record, len(families))] if families else []
    if len({measure for measure, _ in found}) != 1:
        return None
    names = list(dict.fromkeys(families))
    owner = np.array([names.index(family) for family in families])
    shares = np.stack([np.bincount(owner, weights, len(names)) / weights.sum() for _, weights in found])
    table = pd.DataFrame(
        {
            "family": names,
            "columns": np.bincount(owner),
            "share": shares.mean(axis=0),
            "deviation": shares.std(axis=0, ddof=1) if len(shares) > 1 else np.nan,
            "folds": [column.tolist() for column in shares.T],
        }
    )
    return FamilyShares(found[0][0], table.sort_values("share", ascending=False, ignore_index=True, kind="stable"))


def families_of(columns: Sequence[str]) -> list[str]:
    """Return the family of each column, of two parts where all share the first; empty if there are none."""
    parts = [column.split("/") for column in columns]
    for depth in (1, 2):
        families = ["/".join(part[:depth]) for part in parts if len(part) > depth]
        if len(families) == len(parts) and 1 < len(set(families)) <= _MOST_FAMILIES:
            return families
    return []


def _columns(recipe: dict[str, Any]) -> list[str]:
    """Return the names of a member's feature columns; empty if it has none, or if a network computes them."""
    features = recipe.get("features")
    try:
        if not features or any(libraries_behind(path) & _NETWORKS for path, _ in built_objects(features)):
            return []
        return [str(name) for name in build(features).get_feature_names_out()]
    except Exception:  # of any package, perhaps no longer installed: the report goes without
        return []


def _of_fold(store: OofStore, record: FoldRecord, columns: int) -> Iterator[tuple[str, Array]]:
    """Yield measure and weight of each column (columns,) in one fold's model, if it is stored, small and known."""
    folder = store.model_folder(record.member, record.fold)
    file = next((name for name in (LIGHTGBM, SKOPS) if f"{MODEL}/{name}" in record.files), None)
    try:
        if file and (folder / file).stat().st_size <= _LARGEST:
            found = column_weights(load_model(folder, None))
            if found and len(found[1]) == columns and found[1].sum() > 0:
                yield found
    except Exception:  # damaged, or of another version of its library
        return


def column_weights(model: Any) -> tuple[str, Array] | None:
    """Return how a fitted model weighs its columns: the measure, and a non-negative weight for each; else None.

    Known are a `BoosterClassifier`, and a pipeline of a `StandardScaler` and a linear model, which may be inside a
    `CalibratedClassifierCV`: coefficients of columns that are not scaled cannot be compared.
    """
    if isinstance(model, BoosterClassifier):
        return GAIN, np.asarray(model.booster_.feature_importance("gain"), dtype=np.float64)
    scaler, *rest = [step for _, step in getattr(model, "steps", [("", None)])]
    if type(scaler).__name__ != "StandardScaler" or not scaler.with_std or len(rest) != 1:
        return None
    calibrated = [each.estimator for each in getattr(rest[0], "calibrated_classifiers_", [])]
    weights = np.abs([np.ravel(getattr(each, "coef_", ())) for each in calibrated or rest]).astype(np.float64)
    if not weights.size:
        return None
    return COEFFICIENTS, np.mean(weights / weights.sum(axis=1, keepdims=True), axis=0) if calibrated else weights[0]
