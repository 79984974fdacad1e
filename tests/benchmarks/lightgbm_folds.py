"""Four LightGBM members on five folds on all cores: this engine beside what people would use instead.

`make bench NAME=lightgbm_folds [ARGS="--autogluon PYTHON"]`; some minutes. All fit on 6,400 of 8,000 rows of 200
columns and predict the others and 4,000 more. joblib and scikit-learn use a process of one thread for each core; so
does this engine. All workers are warm. AutoGluon (`autogluon.tabular[lightgbm,ray]` in an environment of its own, whose
Python is given) trains the same four settings in its bags of five, one fold after the other and in parallel.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from rich.console import Console
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit

from ensemble.config.members import MemberSettings
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.ray_engine import RayEngine
from ensemble.engine.recipes.code import recipe_code
from ensemble.engine.tasks.base import FOLDS as FOLD_OF
from ensemble.engine.tasks.base import LABELS, PHOTOGRAPHS, Outcome
from ensemble.engine.tasks.fold import FoldTask
from ensemble.training.speeds import Speeds

TRAIN, TEST, COLUMNS, FOLDS, ROUNDS = 8_000, 4_000, 200, 5, 2
PROCESSES = os.cpu_count() or 1  # as many as this engine takes
TREES = (200, 400, 100, 300)
_SCRIPT = Path(__file__).with_name("lightgbm_folds_autogluon.py")


def data() -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Columns of training and test rows, labels and folds of the training rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(TRAIN + TEST, COLUMNS)).astype(np.float32)
    labels = (X[:TRAIN, :20].sum(1) + rng.normal(size=TRAIN) * 4 > 0).astype(np.int64)
    return X, labels, np.arange(TRAIN) % FOLDS


def settings(trees: int) -> dict[str, Any]:
    return {"n_estimators": trees, "num_leaves": 31, "learning_rate": 0.05, "verbose": -1}


def with_ours(engine: RayEngine, X: Any, labels: Any, folds: Any, scale: float = 1.0) -> float:
    """Seconds of all folds. Nothing is known of their lengths beforehand, as in a first run."""
    for key, array in ((PHOTOGRAPHS, X), (LABELS, labels), (FOLD_OF, folds)):
        engine.share(key, array)
    use = {"use": "lightgbm.LGBMClassifier"}
    members = [
        MemberSettings.model_validate({"name": f"gbm_{n}", "model": {**use, **settings(max(int(n * scale), 1))}})
        for n in TREES
    ]
    begun, speeds = time.perf_counter(), Speeds()
    pipeline = Pipeline(engine, ProgressBoard(console=Console(quiet=True)), lambda task: speeds.fold(task.group))

    def receive(outcome: Outcome) -> None:
        assert outcome.failure is None, outcome.value
        speeds.measured(outcome.task.group, outcome.finished - outcome.started)
        pipeline.queue.reorder(outcome.task.group)

    tasks = [FoldTask(member, fold, recipe_code(member.recipe)) for member in members for fold in range(FOLDS)]
    pipeline.submit(tasks, receive)
    pipeline.run()
    return time.perf_counter() - begun


def with_joblib(X: Any, labels: Any, folds: Any, scale: float = 1.0) -> float:
    begun = time.perf_counter()
    Parallel(PROCESSES)(
        delayed(_fold)(max(int(n * scale), 1), fold, X, labels, folds) for n in TREES for fold in range(FOLDS)
    )
    return time.perf_counter() - begun


def _fold(trees: int, fold: int, X: Any, labels: Any, folds: Any) -> tuple[Any, Any]:
    model = LGBMClassifier(**settings(trees), n_jobs=1, random_state=fold)
    model.fit(X[:TRAIN][folds != fold], labels[folds != fold])
    return model.predict_proba(X[:TRAIN][folds == fold]), model.predict_proba(X[TRAIN:])


def with_stacking(X: Any, labels: Any, folds: Any) -> float:
    begun = time.perf_counter()
    members = [(f"gbm_{n}", LGBMClassifier(**settings(n), n_jobs=1)) for n in TREES]
    stack = StackingClassifier(members, LogisticRegression(), cv=PredefinedSplit(folds), n_jobs=PROCESSES)
    stack.fit(X[:TRAIN], labels).predict_proba(X[TRAIN:])
    return time.perf_counter() - begun


def with_autogluon(python: str, X: Any, labels: Any, strategy: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "data.npz", X=X, labels=labels)
        command = [python, str(_SCRIPT), folder, strategy, json.dumps([settings(n) for n in TREES])]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--autogluon", help="Python of an environment that has autogluon.tabular")
    autogluon = parser.parse_args().autogluon
    arrays = data()
    found: dict[str, list[float]] = {}
    with RayEngine() as engine:
        with_ours(engine, *arrays, scale=0.01)  # workers start, modules are imported
        with_joblib(*arrays, scale=0.01)
        for _ in range(ROUNDS):
            found.setdefault("this engine", []).append(with_ours(engine, *arrays))
            found.setdefault("joblib", []).append(with_joblib(*arrays))
        found["StackingClassifier"] = [with_stacking(*arrays)]
    if autogluon:
        for strategy in ("sequential_local", "parallel_local"):
            found[f"AutoGluon, {strategy}"] = [with_autogluon(autogluon, *arrays[:2], strategy)]
    ours = float(np.median(found["this engine"]))
    figures = {}
    for name, seconds in found.items():
        median = float(np.median(seconds))
        print(f"{name:28} {median:6.1f} s  {min(seconds):.1f} to {max(seconds):.1f}  {median / ours:.2f} of ours")  # noqa: T201
        if name != "this engine":
            figures[f"{name}, of our time"] = {"value": median / ours, "goal": 1.0, "met": median > ours}
    absent = [] if autogluon else ["AutoGluon"]
    print(json.dumps({"benchmark": "lightgbm_folds", "figures": figures, "absent": absent}))  # noqa: T201


if __name__ == "__main__":
    main()
