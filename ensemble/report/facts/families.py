"""What a member leans on: how much weight each family of its features carries in the models that are stored.

A family is what stands before the first slash of a column's name. A member whose features come from a network is left
out: to ask it for names would take seconds, and its columns have no families.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.arrays import Array
from ensemble.core.errors import UserError
from ensemble.core.storage.files import write_text
from ensemble.core.storage.hashing import digest
from ensemble.engine.recipes.build import build
from ensemble.engine.recipes.code import framework_code, libraries_behind
from ensemble.engine.recipes.saving import LIGHTGBM, SKOPS, BoosterClassifier, load_model
from ensemble.store.oof import OofStore
from ensemble.store.record import FoldRecord

GAIN = "gain"
COEFFICIENTS = "coefficients"
MEASURES = {
    GAIN: "share of the gain, that is of how much the splits on a family's columns lowered the training loss",
    COEFFICIENTS: "share of the absolute coefficients, each of a column that was scaled to a standard deviation of one",
}
KEPT = "families.json"
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


def kept_family_shares(store: OofStore, records: Sequence[FoldRecord]) -> FamilyShares | None:
    """The same as `family_shares`, kept beside the member's folds: to read models takes seconds of imports."""
    made_of = digest([framework_code(), *({**record.checksums} for record in records)])
    path = store.member_folder(records[0].member) / KEPT
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["made_of"] == made_of:
            return None if kept["measure"] is None else FamilyShares(kept["measure"], pd.DataFrame(kept["table"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = family_shares(store, records)
    table = None if found is None else found.table.astype(object).where(found.table.notna(), None).to_dict("list")
    content = {"made_of": made_of, "measure": found and found.measure, "table": table}
    with suppress(OSError, UserError):  # a read-only store, say
        write_text(path, json.dumps(content) + "\n")
    return found


def family_shares(store: OofStore, records: Sequence[FoldRecord]) -> FamilyShares | None:
    """The shares of one member, or None where its columns have no families or its models do not tell.

    Only models that this framework stores by itself are read, of no more than 20 MB each: LightGBM's text, and
    scikit-learn's linear models as skops files. (Its trees cannot be stored: skops does not trust them.)
    """
    families = families_of(_columns(records[0].provenance.recipe))
    if not families:
        return None
    weights = [found for record in records if (found := _of_fold(store, record, len(families)))]
    measures = {measure for measure, _ in weights}
    if len(measures) != 1:
        return None
    names = list(dict.fromkeys(families))
    owner = np.array([names.index(family) for family in families])
    shares = np.stack([np.bincount(owner, values, len(names)) / values.sum() for _, values in weights])
    table = pd.DataFrame(
        {
            "family": names,
            "columns": np.bincount(owner),
            "share": shares.mean(axis=0),
            "deviation": shares.std(axis=0, ddof=1) if len(shares) > 1 else np.nan,
            "folds": [column.tolist() for column in shares.T],
        }
    )
    return FamilyShares(measures.pop(), table.sort_values("share", ascending=False, ignore_index=True, kind="stable"))


def families_of(columns: Sequence[str]) -> list[str]:
    """The family of each column; where all are of one, the first two parts tell them apart. Empty: there are none."""
    parts = [column.split("/") for column in columns]
    for depth in (1, 2):
        if all(len(part) > depth for part in parts):
            families = ["/".join(part[:depth]) for part in parts]
            if 1 < len(set(families)) <= _MOST_FAMILIES:
                return families
    return []


def _columns(recipe: dict[str, Any]) -> list[str]:
    """Names of a member's feature columns; empty where nobody tells them, or it would take a network to ask."""
    features = recipe.get("features")
    if not features:
        return []
    try:
        if any(libraries_behind(path) & _NETWORKS for path in _import_paths(features)):
            return []
        names = build(features).get_feature_names_out()
    except Exception:  # of any package, perhaps no longer installed: a report does without
        return []
    return [str(name) for name in names]


def _import_paths(recipe: Any) -> list[str]:
    """Everything that a recipe names, at any depth."""
    if isinstance(recipe, dict):
        here = [recipe["use"]] if isinstance(recipe.get("use"), str) else []
        return here + [path for value in recipe.values() for path in _import_paths(value)]
    if isinstance(recipe, list | tuple):
        return [path for value in recipe for path in _import_paths(value)]
    return []


def _of_fold(store: OofStore, record: FoldRecord, columns: int) -> tuple[str, Array] | None:
    """Measure and weight of each column (columns,) in one fold's model, if it is there, small and of a known kind."""
    folder = store.fold_folder(record.member, record.fold) / "model"
    file = next((name for name in (LIGHTGBM, SKOPS) if f"model/{name}" in record.files), None)
    try:
        if file is None or (folder / file).stat().st_size > _LARGEST:
            return None
        found = column_weights(load_model(folder, None))
    except Exception:  # damaged, or of another version of its library
        return None
    return found if found and len(found[1]) == columns and found[1].sum() > 0 else None


def column_weights(model: Any, scaled: bool = False) -> tuple[str, Array] | None:
    """How a fitted model weighs its columns: the measure and a non-negative weight for each; None: it does not tell.

    Parameters
    ----------
    model : object
        A `BoosterClassifier`, or a fitted estimator of scikit-learn: a linear model, a pipeline of scalers with one at
        its end, or one of these inside `CalibratedClassifierCV`.
    scaled : bool
        Whether its columns have a standard deviation of one: coefficients of others cannot be compared.
    """
    if isinstance(model, BoosterClassifier):
        return GAIN, np.asarray(model.booster_.feature_importance("gain"), dtype=np.float64)
    if hasattr(model, "steps"):
        return _of_pipeline([step for _, step in model.steps], scaled)
    if hasattr(model, "calibrated_classifiers_"):
        return _mean([column_weights(each.estimator, scaled) for each in model.calibrated_classifiers_])
    coefficients = np.atleast_2d(getattr(model, "coef_", np.empty((0, 0))))
    return (COEFFICIENTS, np.abs(coefficients[0]).astype(np.float64)) if scaled and len(coefficients) == 1 else None


def _of_pipeline(steps: list[Any], scaled: bool) -> tuple[str, Array] | None:
    """Of what stands at its end, if all before it only scale."""
    *before, last = steps
    kinds = [type(step).__name__ for step in before if step not in (None, "passthrough")]
    if set(kinds) - {"StandardScaler"}:
        return None
    return column_weights(last, scaled or any(getattr(step, "with_std", False) for step in before))


def _mean(found: Sequence[tuple[str, Array] | None]) -> tuple[str, Array] | None:
    """The mean of models of one kind, each brought to the same sum."""
    known = [each for each in found if each is not None]
    if len(known) != len(found) or not known:
        return None
    return known[0][0], np.mean([values / max(values.sum(), np.finfo(float).tiny) for _, values in known], axis=0)
