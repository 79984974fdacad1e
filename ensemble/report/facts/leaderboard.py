"""The leaderboard: a row for each member and one for the blend, each with what its score was measured on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.metrics.scores import correct_probabilities, fold_accuracies, score
from ensemble.core.storage.parquet import read_arrays
from ensemble.store.oof import BLEND_OOF, OofStore
from ensemble.store.predictions import Predictions, measured_on, member_cost
from ensemble.store.results import BLEND, current_manifest

COLUMNS = [
    "member", "measured_on", "n", "accuracy", "standard_error", "fold_min", "fold_max", "log_loss", "auc", "ece",
    "weight", "seconds", "photographs_per_second",
]  # fmt: skip


def leaderboard(store: OofStore, predictions: Predictions) -> pd.DataFrame:
    """Return a row for each member (out-of-fold), best first, below those of the blend (nested), if there is one.

    The blend's first row scores the whole procedure, which chooses a blender for each fold by the scores of the others;
    the second is that of the chosen blender alone, whose score is what it was chosen by.
    """
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
    blend = _blend_rows(store, manifest, rows) if manifest else []
    return pd.DataFrame(blend + rows, columns=COLUMNS)


def _scores(probabilities: NDArray[np.float64], labels: NDArray[np.int64], folds: NDArray[np.int64]) -> dict[str, Any]:
    """Score the rows that are predicted."""
    predicted = ~np.isnan(probabilities)
    if not predicted.all():
        probabilities, labels, folds = probabilities[predicted], labels[predicted], folds[predicted]
    by_fold = fold_accuracies(correct_probabilities(probabilities, labels), folds)
    return {**asdict(score(probabilities, labels)), "fold_min": by_fold.min(), "fold_max": by_fold.max()}


def _weights(manifest: dict[str, Any] | None) -> dict[str, float]:
    return dict(zip(manifest["members"], manifest["weights"], strict=True)) if manifest and manifest["weights"] else {}


def _blend_rows(store: OofStore, manifest: dict[str, Any], members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    oof = read_arrays(store.blend_folder / BLEND_OOF, ["pred", "label", "fold"])
    used = [row for row in members if row["member"] in manifest["members"] and row["weight"] != 0]
    slowness = sum(1 / row["photographs_per_second"] for row in used)  # NaN: not all known
    measured = manifest["measured_on"].partition(",")[0]
    whole = {
        "member": BLEND,
        "measured_on": f"{measured}, choice repeated in each fold" if measured != "OOF" else measured,
        "weight": np.nan,
        "seconds": float(np.nansum([row["seconds"] for row in used])),
        "photographs_per_second": 1 / slowness if used else np.nan,
    } | _scores(oof["pred"], oof["label"], oof["fold"])
    if manifest.get("nested_of_the_chosen") is None or not manifest.get("elected"):
        return [{**whole, "measured_on": measured}]  # of an older version, which stored the chosen blender's alone
    chosen = {
        **dict.fromkeys(COLUMNS, np.nan),
        "member": f"{BLEND} ({manifest['chosen']})",
        "measured_on": f"{measured}, chosen by this score",
    }
    return [whole, {**chosen, **manifest["nested_of_the_chosen"]}] if measured != "OOF" else [whole]
