"""From the demo to submit.csv by the commands of the README, timed as whole processes on two cores.

`make bench NAME=whole_story`. The rival is a person's plain script: the same members in a loop over the same folds, in
one process, without store, resume or checks; what the framework costs beyond it is the overhead.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = Path("configs/demo.yaml")
GOALS = {
    "demo_seconds": 20.0,
    "train_and_blend_seconds": 240.0,
    "nothing_to_do_inline_seconds": 5.0,
    "nothing_to_do_ray_seconds": 12.0,
    "share_outside_members": 0.25,  # of a run of a minute and a half; 0.05 is the goal for runs of an hour
}


def seconds(*arguments: object) -> float:
    """Wall seconds of `python -m ensemble...`."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def plain_script(data: Path) -> float:
    """The members of the config, fold after fold, as one would write it in a notebook."""
    code = f"""
import numpy as np
from pathlib import Path
from ensemble.competition.dataset import Competition
from ensemble.config.reading import load_experiment
from ensemble.engine.recipes.build import build_features, build_model
from sklearn.model_selection import StratifiedKFold
competition, experiment = Competition.open(Path({str(data)!r})), load_experiment(Path({str(CONFIG)!r}))
X, y = competition.decode(), competition.train.labels
for member in experiment.members:
    features = build_features(member)
    table = X if features is None else features.transform(X)
    folds = StratifiedKFold(experiment.folds.n_folds, shuffle=True, random_state=0).split(y, y)
    for k, (fit, heldout) in enumerate(folds):
        model = build_model(member, k).fit(table[fit], y[fit])
        model.predict_proba(table[heldout]), model.predict_proba(table[len(y):])
"""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        data, oof = Path(temporary) / "data", Path(temporary) / "oof"
        train = ("ensemble.train", CONFIG, "--data", data, "--oof", oof)
        figures = {"demo_seconds": seconds("ensemble", "demo", data)}
        trained = seconds(*train)
        figures["train_and_blend_seconds"] = trained + seconds("ensemble.blend", CONFIG, "--oof", oof)
        figures["nothing_to_do_inline_seconds"] = seconds(*train, "--engine", "inline")
        figures["nothing_to_do_ray_seconds"] = seconds(*train)
        (run,) = json.loads((oof / "demo" / "runs.json").read_text())
        figures["share_outside_members"] = run["share_outside_members"]
        figures["plain_script_seconds"] = plain_script(data)
        figures["plain_script_over_ours"] = figures["plain_script_seconds"] / trained
    for name, value in figures.items():
        print(f"{name:32} {value:8.2f}   goal {GOALS.get(name, '-')}")  # noqa: T201
    report = {
        name: {"value": value, "goal": GOALS.get(name), "met": name not in GOALS or value <= GOALS[name]}
        for name, value in figures.items()
    }
    print(json.dumps({"figures": report, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
