"""The whole five-fold job of one CNN on the CPU: ours on Ray against the loops that one would write instead.

`make bench NAME=cnn_throughput`. All do the same work with the same network: five folds, flip, AdamW, then held-out
and test photographs predicted with a flip. Ours is measured as `configs/cpu.yaml` trains, with the first three layers
frozen, and once more with all layers learning, as the rivals do. The photographs are noise, since speed does not depend
on what they show; what the recipe scores, frozen and not, stands in `members/README.md`.
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

from ensemble.config import load_experiment
from ensemble.oof import OofStore
from tests.competitions import write_competition

TRAIN, TEST, EPOCHS, FOLDS, SIDE = 200, 40, 2, 5, 256
FROZEN = 3  # layers, as in configs/cpu.yaml
GOALS = {"against torchvision": 2.5, "against timm": 1.3, "of pure forward and backward": 0.92}
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
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ}).stdout


def seconds(*arguments: object) -> float:
    begun = time.perf_counter()
    python(*arguments)
    return time.perf_counter() - begun


def lay_out_folders(data: Path, folder: Path) -> None:
    """Sort the photographs into the folders that ImageFolder wants, fold by fold."""
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
    return wall, float(np.median(speeds)) * (os.cpu_count() or 1)


def pure() -> float:
    """Photographs a second of as many one-thread processes as there are cores, all at once."""
    command = [sys.executable, "-m", "tests.benchmarks.cnn_step", "speed", str(FROZEN)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count() or 1)]
    return sum(float(process.communicate()[0]) for process in processes)


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        data = write_competition(scratch / "data", TRAIN, TEST, size=SIDE, suffix=".jpg")
        lay_out_folders(data, scratch / "folders")
        wall, trained = ours(data, scratch, FROZEN)
        alone = pure()  # beside what it is compared with: the machine's speed drifts
        wall_of_all, trained_all = ours(data, scratch, 0)
        rivals = {
            rival: seconds("tests.benchmarks.cnn_rivals", rival, scratch / "folders", EPOCHS)
            for rival in ("torchvision", "timm", "timm_channels_last")
        }
    return {
        "seconds of the job": {"ours": wall, "ours, all layers learning": wall_of_all, **rivals},
        "ratios": {
            **{f"against {rival}": rival_seconds / wall for rival, rival_seconds in rivals.items()},
            **{f"all layers, against {rival}": rival_seconds / wall_of_all for rival, rival_seconds in rivals.items()},
            "of pure forward and backward": trained / alone,
        },
        "photographs a second": {
            "ours, training": trained,
            "ours, all layers learning": trained_all,
            "pure forward and backward": alone,
            "one process, heap kept": float(python("tests.benchmarks.cnn_step", "speed", FROZEN)),
            "one process, heap not kept": float(python("tests.benchmarks.cnn_step", "unkept", FROZEN)),
        },
        "shares of fit": json.loads(python("tests.benchmarks.cnn_step", "profile", FROZEN)),
    }


def main() -> None:
    figures = measure()
    for title, table in figures.items():
        print(title)  # noqa: T201
        for name, value in table.items():
            print(f"  {name:38} {value:8.2f}   {f'goal {GOALS[name]}' if name in GOALS else ''}")  # noqa: T201
    ratios = figures["ratios"]
    goals = {name: {"value": ratios[name], "goal": goal, "met": ratios[name] >= goal} for name, goal in GOALS.items()}
    print(json.dumps({"benchmark": "cnn_throughput", "goals": goals, "absent": ["cuda"], **figures}))  # noqa: T201


if __name__ == "__main__":
    main()
