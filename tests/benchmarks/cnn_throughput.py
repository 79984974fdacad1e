"""The whole five-fold job of one CNN on the CPU: ours on Ray against the usual training loops.

`make bench NAME=cnn_throughput`. Five folds of EfficientNet-Lite0, flip, AdamW, then held-out and test photographs
predicted with a flip. Ours runs twice: with all layers learning, which is the rivals' work exactly, and with the first
three frozen, as `configs/finetune.yaml` trains; that is less work, and `members/README.md` has
its effect on the score. The photographs are noise: speed does not depend on what they show.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ensemble.config.reading import load_experiment
from ensemble.store.oof import OofStore
from tests.competitions import write_competition

TRAIN, TEST, EPOCHS, FOLDS, SIDE = 200, 40, 2, 5, 256
FROZEN = 3  # layers, as in configs/finetune.yaml
GOALS = {"against torchvision": 2.5, "against timm": 1.3, "of pure forward and backward": 0.92}
WORKERS = min(os.cpu_count() or 1, FOLDS)
RIVALS = ("torchvision", "timm", "timm_channels_last")
KINDS = {"all layers learning": 0, "three layers frozen": FROZEN}
CONFIG = """
name: throughput_{frozen_layers}
members:
  - name: lite0
    model:
      use: members.cnn.ImageClassifier
      backbone: tf_efficientnet_lite0
      weights: none
      frozen_layers: {frozen_layers}
      epochs: {epochs}
"""


def python(*arguments: object) -> str:
    """Run a module to its end and return what it printed."""
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def seconds(*arguments: object) -> float:
    begun = time.perf_counter()
    python(*arguments)
    return time.perf_counter() - begun


def lay_out_folders(data: Path, folder: Path) -> None:
    """Sort the photographs into the folders that ImageFolder requires, fold by fold."""
    table = pd.read_csv(data / "train.csv")
    for k in range(FOLDS):
        for row, (name, target) in enumerate(zip(table["name"], table["target"], strict=True)):
            part = "heldout" if row // 2 % FOLDS == k else "train"
            place = folder / f"fold-{k}" / part / ("fake" if target else "real")
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(data / "train" / name, place)
    shutil.copytree(data / "test", folder / "test" / "unknown")


def ours(data: Path, scratch: Path, frozen_layers: int) -> tuple[float, float]:
    """Return the job's wall seconds, and the photographs a second of all workers together while they trained."""
    config = scratch / f"throughput_{frozen_layers}.yaml"
    config.write_text(CONFIG.format(frozen_layers=frozen_layers, epochs=EPOCHS))
    wall = seconds("ensemble.train", config, "--data", data, "--oof", scratch / "oof")
    store = OofStore(scratch / "oof" / load_experiment(config).name)
    records = [record for k in range(FOLDS) if (record := store.record("lite0", k)) is not None]
    speeds = [epoch["photographs_per_second"] for record in records for epoch in record.history]
    return wall, float(np.median(speeds)) * WORKERS


def pure(frozen_layers: int) -> float:
    """Photographs a second of as many one-thread processes as there are workers, all at once."""
    command = [sys.executable, "-m", "tests.benchmarks.cnn_step", "kept", str(frozen_layers)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)]
    return sum(float(process.communicate()[0]) for process in processes)


def measure() -> dict[str, Any]:
    """Time everything, what is compared side by side: the machine's speed drifts."""
    walls: dict[str, float] = {}
    speeds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        data = write_competition(scratch / "data", TRAIN, TEST, size=SIDE, suffix=".jpg")
        lay_out_folders(data, scratch / "folders")
        for kind, frozen_layers in KINDS.items():
            walls[kind], speeds[kind] = ours(data, scratch, frozen_layers)
            speeds[f"{kind}, forward and backward alone"] = pure(frozen_layers)
        for rival in RIVALS:
            walls[rival] = seconds("tests.benchmarks.cnn_rivals", rival, scratch / "folders", EPOCHS)
    return {
        "seconds of the job": walls,
        "photographs a second, training": speeds,
        "ratios": {kind: ratios(kind, walls, speeds) for kind in KINDS},
        "one process, photographs a second": {
            f"{kind}, heap {heap}": float(python("tests.benchmarks.cnn_step", heap, frozen_layers))
            for kind, frozen_layers in KINDS.items()
            for heap in ("kept", "unkept")
        },
        "shares of fit": {
            kind: json.loads(python("tests.benchmarks.cnn_step", "profile", KINDS[kind])) for kind in KINDS
        },
    }


def ratios(kind: str, walls: dict[str, float], speeds: dict[str, float]) -> dict[str, float]:
    """How one way of ours compares with the rivals, and with the network's own time."""
    against = {f"against {rival}": walls[rival] / walls[kind] for rival in RIVALS}
    return {**against, "of pure forward and backward": speeds[kind] / speeds[f"{kind}, forward and backward alone"]}


def main() -> None:
    figures = measure()
    print(yaml.safe_dump(figures, sort_keys=False))  # noqa: T201
    goals = {
        f"{kind}, {name}": {"value": value, "goal": GOALS[name], "met": value >= GOALS[name]}
        for kind, found in figures["ratios"].items()
        for name, value in found.items()
        if name in GOALS
    }
    print(json.dumps({"benchmark": "cnn_throughput", "goals": goals, "absent": ["cuda"], **figures}))  # noqa: T201


if __name__ == "__main__":
    main()
