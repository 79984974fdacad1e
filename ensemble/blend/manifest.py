"""blend.json: everything from which the bytes of submit.csv can be made again, and doing so."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.blend.base import Array, blended
from ensemble.blend.nested import Evaluation
from ensemble.errors import UserError
from ensemble.files import write_text
from ensemble.metrics import Scores, to_probabilities
from ensemble.oof import OofStore
from ensemble.predictions import Predictions, load_predictions
from ensemble.provenance import digest, versions
from ensemble.submission import sha256_of, submission_text

_NEEDED = {"members", "weights", "intercept", "predictions_sha256", "sample_sha256", "submission_sha256"}


def manifest(
    chosen: Evaluation,
    reason: str,
    evaluations: Sequence[Evaluation],
    predictions: Predictions,
    store: OofStore,
    seed: int,
) -> dict[str, Any]:
    """The manifest of a blend, without the hashes of the files beside it, which are not written yet."""
    return {
        "chosen": chosen.title,
        "reason": reason,
        "measured_on": "nested OOF; the choice among the blenders was made on the same nested scores",
        "members": predictions.members,
        "weights": [float(weight) for weight in chosen.blender.weights_],
        "intercept": chosen.blender.intercept_,
        "left_out": predictions.left_out,
        "blenders": {evaluation.title: _summary(evaluation, predictions.members) for evaluation in evaluations},
        "rows": {"oof": len(predictions.oof_logits), "test": len(predictions.test_logits)},
        "predicted_fake_share": {
            "oof": _fake_share(chosen.nested),
            "test": _fake_share(chosen.blender.decision_function(predictions.test_logits)),
        },
        "folds_sha256": predictions.ledger.sha256,
        "data_sha256": store.facts()["sha256"],
        "sample_sha256": _sample_sha256(store),
        "synthetic": store.facts()["synthetic"],
        "predictions_sha256": predictions.hashes,
        "seed": seed,
        "versions": versions(),
    }


def rebuild(path: Path, store: OofStore, target: Path) -> str:
    """Write the submission of a manifest again from the store's predictions; returns its sha256.

    Raises
    ------
    UserError
        The store no longer holds what the manifest was made from, or gives other bytes; nothing is written.
    """
    recipe, predictions = _read(path), load_predictions(store)
    wanted = recipe["predictions_sha256"]
    changed = [key for key, sha256 in wanted.items() if predictions.hashes.get(key) != sha256]
    if changed or recipe["sample_sha256"] != _sample_sha256(store):
        what = f"predictions of {', '.join(changed[:5])}" if changed else "rows of the sample submission"
        raise UserError(f"{path} was made from other {what}; blend again")
    columns = [predictions.members.index(name) for name in recipe["members"]]
    logits = blended(predictions.test_logits[:, columns], np.array(recipe["weights"]), recipe["intercept"])
    text = submission_text(store.sample(), to_probabilities(logits))
    if sha256_of(text) != recipe["submission_sha256"]:
        raise UserError(f"{path} gives another submission here than the one that it describes; was it edited?")
    write_text(target, text)
    return sha256_of(text)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable blend.json ({error})") from None
    if not isinstance(content, dict) or not set(content) >= _NEEDED:
        raise UserError(f"{path} is no blend.json: it says nothing of {', '.join(sorted(_NEEDED))}")
    return content


def _sample_sha256(store: OofStore) -> str:
    return digest(asdict(store.sample()))


def _summary(evaluation: Evaluation, members: list[str]) -> dict[str, Any]:
    return {
        "in_sample": _scores(evaluation.in_sample_scores),
        "nested": _scores(evaluation.nested_scores),
        "optimism": evaluation.optimism,
        "weights": dict(zip(members, evaluation.blender.weights_.tolist(), strict=True)),
        "intercept": evaluation.blender.intercept_,
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return {name: None if math.isnan(value) else value for name, value in asdict(scores).items()}


def _fake_share(logits: Array) -> float:
    return float((logits >= 0).mean())
