"""Overhead of predicting altered photographs: by the framework and by a bare loop.

`make bench NAME=robustness`. Trains two members on forensic features of 60 photographs, and predicts all of these in
four alterations: by a bare loop over features and models, by `ensemble robustness` in one process, and by the same on
Ray, start-up included. All caches are empty, and all three are timed in turn, three times.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.dataset import Competition
from ensemble.config.reading import load_experiment
from ensemble.engine.recipes.build import build_features, import_object
from ensemble.engine.recipes.saving import load_model
from ensemble.store.oof import OofStore
from ensemble.store.results import AS_THEY_ARE
from ensemble.stress.robustness.alterations import ALTERATIONS
from ensemble.stress.robustness.run import RobustnessRequest, robustness
from ensemble.train import train
from tests.competitions import write_competition, write_config

TRAIN, SIDE, TIMES = 60, 256, 3
ASKED = (AS_THEY_ARE, "jpeg_80_420", "blur_1", "noise_5")
GOAL = 1.25  # times the bare loop, in one process
FEATURES = "{use: members.forensics.ForensicFeatures, families: [dct, residuals]}"
MEMBERS = f"""
  - name: boosted
    features: {FEATURES}
    model: {{use: lightgbm.LGBMClassifier, n_estimators: 50, min_child_samples: 4, verbose: -1}}
  - name: linear
    features: {FEATURES}
    model:
      use: sklearn.pipeline.Pipeline
      steps:
        - [scale, {{use: sklearn.preprocessing.StandardScaler}}]
        - [logistic, {{use: sklearn.linear_model.LogisticRegression, C: 0.01, max_iter: 300}}]
"""


def bare(store: OofStore, photographs: NDArray[np.uint8]) -> None:
    """The work itself: altered one by one, features once for both members, each fold's rows by its model."""
    members, folds = store.experiment().members, store.ledger().folds
    features = build_features(members[0])
    for name in ASKED:
        table = features.transform(np.stack([ALTERATIONS[name](photograph) for photograph in photographs]))
        for member in members:
            for fold in np.unique(folds):
                model = load_model(store.fold_folder(member.name, int(fold)) / "model", import_object(member.model.use))
                model.predict_proba(table[folds == fold])


def asked(store: OofStore, engine: str) -> None:
    shutil.rmtree(store.root / "robustness", ignore_errors=True)
    shutil.rmtree(store.root.parent / ".features", ignore_errors=True)
    _, _, complete = robustness(store, store.experiment(), None, engine, RobustnessRequest(ASKED, photographs=0))
    assert complete


def seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = write_competition(folder / "data", TRAIN, 4, size=SIDE, suffix=".jpg")
        experiment = load_experiment(write_config(folder / "c.yaml", MEMBERS))
        store = OofStore(folder / "oof" / experiment.name)
        assert train(experiment, list(experiment.members), data, store, "inline")
        shutil.rmtree(store.blend_folder, ignore_errors=True)  # the bare loop blends nothing
        photographs = Competition.open(data).decode()[:TRAIN]
        ways = {
            "bare loop": lambda: bare(store, photographs),
            "ensemble robustness, inline": lambda: asked(store, "inline"),
            "ensemble robustness, Ray": lambda: asked(store, "ray"),
        }
        bare(store, photographs)  # compiles what is slow the first time
        times = {name: [] for name in ways}
        for _ in range(TIMES):
            for name, way in ways.items():
                times[name].append(seconds(way))
    rows = TRAIN * len(ASKED)
    each = {name: 1000 * statistics.median(found) / rows for name, found in times.items()}
    for name, value in each.items():
        print(f"{name:28} {value:7.1f} ms a photograph and alteration")  # noqa: T201
    ratio = each["ensemble robustness, inline"] / each["bare loop"]
    goal = {"value": ratio, "goal": GOAL, "met": ratio <= GOAL}
    figures = {"milliseconds": each, "seconds": times, "rows": rows}
    print(json.dumps({"benchmark": "robustness", "inline beside the bare loop": goal, **figures, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
