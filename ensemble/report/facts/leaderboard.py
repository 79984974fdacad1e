"""The leaderboard: one row a member, one for the blend, each saying what its score was measured on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.metrics.scores import fold_accuracies, is_right, score
from ensemble.engine.recipes.code import file_sha256
from ensemble.store.oof import BLEND_OOF, MANIFEST, OofStore
from ensemble.store.parquet import read_arrays
from ensemble.store.predictions import Predictions

COLUMNS = [
    "member", "measured_on", "n", "accuracy", "standard_error", "fold_min", "fold_max", "log_loss", "auc", "ece",
    "weight", "seconds", "photographs_per_second",
]  # fmt: skip
BLEND = "blend"


def leaderboard(store: OofStore, predictions: Predictions) -> pd.DataFrame:
    """One row a member (out-of-fold), best first, under the row of the blend (nested), if there is one."""
    ledger = predictions.ledger
    manifest = current_manifest(store, predictions)
    weights = _weights(manifest)
    rows: list[dict[str, Any]] = [
        {"member": member, "measured_on": measured_on(predictions, member), "weight": weights.get(member, np.nan)}
        | _scores(predictions.probabilities(column), ledger.labels, ledger.folds)
        | member_cost(member, predictions)
        for column, member in enumerate(predictions.members)
    ]
    rows.sort(key=lambda row: -row["accuracy"])
    blend = [_blend_row(store, manifest, rows)] if manifest else []
    return pd.DataFrame(blend + rows, columns=COLUMNS)


def measured_on(predictions: Predictions, member: str) -> str:
    """OOF, and on how many folds where it is not all."""
    return (
        f"OOF, {predictions.partial[member].partition(' folds')[0]} folds" if member in predictions.partial else "OOF"
    )


def member_cost(member: str, predictions: Predictions) -> dict[str, float]:
    """What a member costs, in its own terms; NaN for one that was trained elsewhere.

    `seconds`: the features of all photographs, then fit and predict of all folds, as if no other member shared the
    features. `photographs_per_second`: one fold's model on new photographs, features included.
    """
    ledger, test_rows = predictions.ledger, len(predictions.test_logits)
    folds = {fold: record for fold in range(ledger.n_folds) if (record := predictions.record(member, fold)) is not None}
    if any(record.trained_elsewhere for record in folds.values()):
        return {"seconds": np.nan, "photographs_per_second": np.nan}
    features = float(np.mean([record.seconds_features_per_photograph for record in folds.values()]))
    predict = [record.seconds_predict / (len(ledger.heldout(fold)) + test_rows) for fold, record in folds.items()]
    seconds = features * (len(ledger.labels) + test_rows) + sum(record.seconds for record in folds.values())
    return {"seconds": seconds, "photographs_per_second": 1 / (features + float(np.mean(predict)))}


def _scores(probabilities: NDArray[np.float64], labels: NDArray[np.int64], folds: NDArray[np.int64]) -> dict[str, Any]:
    """Scores of the rows that are predicted."""
    there = ~np.isnan(probabilities)
    if not there.all():
        probabilities, labels, folds = probabilities[there], labels[there], folds[there]
    by_fold = fold_accuracies(is_right(probabilities, labels), folds)
    return {**asdict(score(probabilities, labels)), "fold_min": by_fold.min(), "fold_max": by_fold.max()}


def current_manifest(store: OofStore, predictions: Predictions) -> dict[str, Any] | None:
    """The manifest of the last blend, if it was made from these very predictions and its files are as written."""
    try:
        manifest: dict[str, Any] = json.loads((store.blend_folder / MANIFEST).read_text(encoding="utf-8"))
        oof = file_sha256(store.blend_folder / BLEND_OOF)
        same = manifest["predictions_sha256"] == predictions.hashes and manifest["oof_sha256"] == oof
        weights = manifest["weights"]
        same &= all(isinstance(manifest[key], str) for key in ("chosen", "measured_on", "reason"))
        same &= set(manifest["members"]) <= set(predictions.members)
        same &= weights is None or len(weights) == len(manifest["members"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return manifest if same else None


def _weights(manifest: dict[str, Any] | None) -> dict[str, float]:
    return dict(zip(manifest["members"], manifest["weights"], strict=True)) if manifest and manifest["weights"] else {}


def _blend_row(store: OofStore, manifest: dict[str, Any], members: list[dict[str, Any]]) -> dict[str, Any]:
    oof = read_arrays(store.blend_folder / BLEND_OOF, ["pred", "label", "fold"])
    used = [row for row in members if row["member"] in manifest["members"] and row["weight"] != 0]
    return {
        "member": f"{BLEND} ({manifest['chosen']})",
        "measured_on": manifest["measured_on"].partition(",")[0],
        "weight": np.nan,
        "seconds": float(np.nansum([row["seconds"] for row in used])),
        "photographs_per_second": 1 / sum(1 / row["photographs_per_second"] for row in used),  # NaN: not all known
    } | _scores(oof["pred"], oof["label"], oof["fold"])
