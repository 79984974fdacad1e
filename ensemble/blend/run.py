"""One blend from beginning to end: read the store, compare blenders, choose, write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna

from ensemble.blend.base import Blender
from ensemble.blend.greedy import GreedySelection
from ensemble.blend.manifest import manifest
from ensemble.blend.mean import MeanOfLogits
from ensemble.blend.nested import Evaluation, choose, evaluate
from ensemble.blend.stacking import LogisticStacking
from ensemble.blend.weights import OptunaWeights
from ensemble.config import BlendSettings, Experiment
from ensemble.files import new_folder, remove_unfinished, write_text
from ensemble.metrics import to_probabilities
from ensemble.oof import BLEND_OOF, MANIFEST, SUBMISSION, OofStore
from ensemble.predictions import Predictions, load_predictions
from ensemble.submission import write_submission
from ensemble.threads import threads


def blend(store: OofStore, experiment: Experiment | None = None, submission: Path | None = None) -> dict[str, Any]:
    """Blend all complete members; write the store's `blend/` as a whole, and a copy of the submission if asked to.

    Returns the manifest, which is `blend.json`.
    """
    experiment = experiment or store.experiment()
    predictions, settings = load_predictions(store, experiment), experiment.blend
    ledger = predictions.ledger
    with threads(1):  # matrices this small only wait for each other's threads
        evaluations = [
            evaluate(make, predictions.oof_logits, ledger.labels, ledger.folds) for make in blenders(settings)
        ]
    chosen, reason = choose(evaluations, ledger.labels)
    content = manifest(chosen, reason, evaluations, predictions, store, settings.seed)
    probabilities = to_probabilities(chosen.blender.decision_function(predictions.test_logits))
    remove_unfinished(store.root, store.blend_folder.name)
    with new_folder(store.blend_folder) as folder:
        content["submission_sha256"] = write_submission(folder / SUBMISSION, store.sample(), probabilities)
        content["oof_sha256"] = _write_oof(folder / BLEND_OOF, chosen, predictions)
        _write_studies(folder / "study.db", evaluations)
        write_text(folder / MANIFEST, json.dumps(content, indent=1) + "\n")
    if submission is not None:
        write_submission(submission, store.sample(), probabilities)
    return content


def blenders(settings: BlendSettings) -> list[Callable[[], Blender]]:
    """The blenders that a config asks for, from simple to complex."""
    known: dict[str, Callable[[], Blender]] = {
        "mean": MeanOfLogits,
        "greedy": partial(GreedySelection, settings.rounds),
        "weights": partial(OptunaWeights, settings.trials, settings.seed),
        "stacking": partial(LogisticStacking, settings.trials, settings.seed),
    }
    return [make for title, make in known.items() if title in settings.methods]


def _write_oof(path: Path, chosen: Evaluation, predictions: Predictions) -> str:
    """The blend's own out-of-fold predictions: `pred` is nested, `pred_in_sample` is not to be scored. Its sha256."""
    table = predictions.ledger.table[["name", "fold", "label"]].copy()
    table["pred"] = to_probabilities(chosen.nested)
    table["pred_in_sample"] = to_probabilities(chosen.in_sample)
    table.to_parquet(path, index=False)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_studies(path: Path, evaluations: list[Evaluation]) -> None:
    """The searches behind the final weights, for optuna-dashboard."""
    for study in (e.blender.study_ for e in evaluations if e.blender.study_ is not None):
        kept = optuna.create_study(storage=f"sqlite:///{path}", study_name=study.study_name)
        kept.add_trials(study.get_trials())
