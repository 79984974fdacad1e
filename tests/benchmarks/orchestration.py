"""What running folds costs beyond the folds: in this process, and on a Ray whose workers are warm.

`make bench NAME=orchestration`; a minute. Members wait for half a second and learn next to nothing. Overhead is the
makespan minus the ideal (the folds' own seconds over the slots), for each fold. Then a finished store of ten members
and five folds: how long a run takes that has nothing to do.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from ensemble.config import MemberSettings, load_experiment
from ensemble.engine import Engine, FoldFailure, Workload, engine_maker
from ensemble.engine.task import FoldTask
from ensemble.oof import OofStore
from ensemble.progress import Board
from ensemble.provenance import recipe_code
from ensemble.train import train
from tests.competitions import write_competition

MEMBERS, FOLDS, SECONDS = 10, 5, 0.5
GOALS = {"inline": 0.020, "ray": 0.100, "nothing to do": 1.0}
_MEMBER = "  - {{name: member_{}, model: {{use: tests.foreign.HighPass, seconds: {}}}}}"


def overhead(engine: Engine, work: Workload) -> float:
    """Seconds for each fold beyond the folds' own, over all slots."""
    board = Board(slots=engine.slots(), console=Console(file=io.StringIO()))
    for task in work.tasks:
        board.add(task.title, task.member.name, 1)
    begun, own = time.perf_counter(), 0.0
    for outcome in engine.folds(work, board):
        assert not isinstance(outcome, FoldFailure), outcome.traceback
        own += outcome.finished - outcome.started
    return (time.perf_counter() - begun - own / engine.slots()) / len(work.tasks)


def sleeping() -> Workload:
    """Folds of members that wait."""
    photographs = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    members = [
        MemberSettings.model_validate(
            {"name": f"member_{n}", "model": {"use": "tests.foreign.HighPass", "seconds": SECONDS}}
        )
        for n in range(MEMBERS)
    ]
    rows, test = np.arange(48), np.arange(48, 64)
    tasks = [
        FoldTask(m, fold, recipe_code(m.recipe), rows[rows % FOLDS != fold], rows[rows % FOLDS == fold], test)
        for m in members
        for fold in range(FOLDS)
    ]
    return Workload(tasks, {None: photographs}, {m.name: None for m in members}, np.arange(48) % 2)


def nothing_to_do(folder: Path) -> float:
    """Seconds of a run that finds all folds finished, the median of five."""
    data = write_competition(folder / "data", train=40, test=20)
    config = folder / "ten.yaml"
    config.write_text("name: ten\nmembers:\n" + "\n".join(_MEMBER.format(n, 0) for n in range(MEMBERS)) + "\n")
    experiment = load_experiment(config)
    command = [sys.executable, "-m", "ensemble.train", str(config), "--data", str(data), "--oof", str(folder / "oof")]
    assert train(experiment, list(experiment.members), data, OofStore(folder / "oof" / "ten"), "inline")
    spent = []
    for _ in range(6):  # the first draws what the report lacks
        begun = time.perf_counter()
        said = subprocess.run([*command, "--engine", "inline"], check=True, capture_output=True, text=True).stdout
        spent.append(time.perf_counter() - begun)
        assert "nothing to do: all 50 folds" in said
    return float(np.median(spent[1:]))


def main() -> None:
    found = {}
    for name in ("inline", "ray"):
        with engine_maker(name)() as engine:
            overhead(engine, sleeping())  # workers start, modules are imported
            found[name] = overhead(engine, sleeping())
    with tempfile.TemporaryDirectory() as folder:
        found["nothing to do"] = nothing_to_do(Path(folder))
    figures = {}
    for title, value in found.items():
        figures[f"{title}, s"] = {"value": value, "goal": GOALS[title], "met": value <= GOALS[title]}
        print(f"{title:15} {value:7.3f} s   goal {GOALS[title]}")  # noqa: T201
    print(json.dumps({"benchmark": "orchestration", "figures": figures, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
