"""What running folds costs beyond the folds: in this process, and on a Ray whose workers are warm.

`make bench NAME=orchestration`; a minute. Members wait for half a second and learn next to nothing. Overhead is the
makespan minus the ideal (the folds' own seconds over the slots), for each fold. Then a finished store of ten members
and five folds: how long a run takes that has nothing to do.
"""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from ensemble.config import MemberSettings, load_experiment
from ensemble.engine import Engine, engine_maker
from ensemble.engine.task import FOLDS as FOLD_OF
from ensemble.engine.task import LABELS, PHOTOGRAPHS, FoldTask
from ensemble.oof import FoldResult, OofStore
from ensemble.progress import Board
from ensemble.provenance import recipe_code
from ensemble.schedule import Agenda, work_off
from ensemble.train import train
from tests.competitions import write_competition

MEMBERS, FOLDS, SECONDS = 10, 5, 0.5
GOALS = {"inline": 0.020, "ray": 0.100, "nothing to do": 1.0}
_MEMBER = "  - {{name: member_{}, model: {{use: tests.foreign.HighPass, seconds: {}}}}}"


def overhead(engine: Engine) -> float:
    """Seconds for each fold beyond the folds' own, over all slots."""
    board = Board(slots=engine.slots(), console=Console(file=io.StringIO()))
    agenda = Agenda(lambda _: math.inf)
    agenda.add(sleeping(engine))
    for title in [f"member_{n}/fold-{fold}" for n in range(MEMBERS) for fold in range(FOLDS)]:
        board.add(title, title.partition("/")[0], 1)
    begun, own = time.perf_counter(), 0.0
    for finished in work_off(agenda, engine, board):
        assert isinstance(finished.value, FoldResult), finished.value
        own += finished.value.finished - finished.value.started
    return (time.perf_counter() - begun - own / engine.slots()) / (MEMBERS * FOLDS)


def sleeping(engine: Engine) -> list[FoldTask]:
    """Folds of members that wait."""
    photographs = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    rows = np.arange(48)
    for key, array in ((PHOTOGRAPHS, photographs), (LABELS, rows % 2), (FOLD_OF, rows // 2 % FOLDS)):
        engine.share(key, array)
    settings = [
        {"name": f"member_{n}", "model": {"use": "tests.foreign.HighPass", "seconds": SECONDS}} for n in range(MEMBERS)
    ]
    members = [MemberSettings.model_validate(each) for each in settings]
    return [FoldTask(m, fold, recipe_code(m.recipe)) for m in members for fold in range(FOLDS)]


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
            overhead(engine)  # workers start, modules are imported
            found[name] = overhead(engine)
    with tempfile.TemporaryDirectory() as folder:
        found["nothing to do"] = nothing_to_do(Path(folder))
    figures = {}
    for title, value in found.items():
        figures[f"{title}, s"] = {"value": value, "goal": GOALS[title], "met": value <= GOALS[title]}
        print(f"{title:15} {value:7.3f} s   goal {GOALS[title]}")  # noqa: T201
    print(json.dumps({"benchmark": "orchestration", "figures": figures, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
