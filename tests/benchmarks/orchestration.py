"""What running folds costs beyond the folds: in this process, and on a Ray whose workers are warm.

`make bench NAME=orchestration`; three minutes. Members wait for half a second and learn next to nothing. Overhead is
the makespan minus the ideal (the folds' own seconds over the slots), for each fold. Then folds of ten seconds, and
unequal ones of known lengths beside the longest-first bound; and a finished store of ten members and five folds: how
long a run takes that has nothing to do.
"""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from ensemble.config.members import MemberSettings
from ensemble.config.reading import load_experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine
from ensemble.engine.choose import engine_maker
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.recipes.code import recipe_code
from ensemble.engine.resources import CPU, makespan
from ensemble.engine.tasks.base import FOLDS as FOLD_OF
from ensemble.engine.tasks.base import LABELS, PHOTOGRAPHS, Outcome
from ensemble.engine.tasks.fold import FoldResult, FoldTask
from ensemble.store.oof import OofStore
from ensemble.train import train
from tests.competitions import write_competition

MEMBERS, FOLDS, SECONDS = 10, 5, 0.5
GOALS = {
    "inline, s a fold": 0.020,
    "ray, s a fold": 0.100,
    "10-second folds, share of overhead": 0.05,
    "unequal folds, beyond the bound": 0.05,
    "nothing to do, s": 1.0,
}
_MEMBER = "  - {{name: member_{}, model: {{use: tests.foreign.HighPass, seconds: {}}}}}"


def run_folds(engine: Engine, lengths: Sequence[float], folds: int, known: bool) -> tuple[float, list[float]]:
    """Seconds from the first task to the last result, and the folds' own; members wait as long as `lengths` say."""
    share(engine)
    settings = [
        {"name": f"member_{n}", "model": {"use": "tests.foreign.HighPass", "seconds": seconds}}
        for n, seconds in enumerate(lengths)
    ]
    members = [MemberSettings.model_validate(each) for each in settings]
    expected = {member.name: seconds if known else math.inf for member, seconds in zip(members, lengths, strict=True)}
    pipeline = Pipeline(engine, ProgressBoard(console=Console(file=io.StringIO())), lambda task: expected[task.group])
    outcomes: list[Outcome] = []
    tasks = [FoldTask(m, fold, recipe_code(m.recipe)) for m in members for fold in range(folds)]
    pipeline.submit(tasks, outcomes.append)
    started = time.perf_counter()
    pipeline.run()
    took = time.perf_counter() - started
    assert all(isinstance(outcome.value, FoldResult) for outcome in outcomes), outcomes
    return took, [outcome.value.finished - outcome.value.started for outcome in outcomes]


def share(engine: Engine) -> None:
    """A few photographs."""
    photographs = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    rows = np.arange(48)
    for key, array in ((PHOTOGRAPHS, photographs), (LABELS, rows % 2), (FOLD_OF, rows // 2 % FOLDS)):
        engine.share(key, array)


def overhead(engine: Engine) -> float:
    """Seconds for each fold beyond the folds' own, over all slots."""
    took, own = run_folds(engine, [SECONDS] * MEMBERS, FOLDS, known=False)
    return (took - sum(own) / engine.slots()) / len(own)


def ten_seconds(engine: Engine) -> float:
    """The share of the time that is not the folds' own, where each takes ten seconds."""
    took, own = run_folds(engine, [10.0] * 4, 2, known=False)
    return 1 - sum(own) / engine.slots() / took


def beyond_bound(engine: Engine) -> float:
    """How much longer unequal folds take than the longest-first order of their own seconds, without any overhead."""
    took, own = run_folds(engine, [0.5, 1, 1.5, 2, 3, 4, 6], 2, known=True)
    return took / makespan([(seconds, {CPU: 1}) for seconds in own], engine.nodes()) - 1


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
            found[f"{name}, s a fold"] = overhead(engine)
            if name == "ray":
                found["10-second folds, share of overhead"] = ten_seconds(engine)
                found["unequal folds, beyond the bound"] = beyond_bound(engine)
    with tempfile.TemporaryDirectory() as folder:
        found["nothing to do, s"] = nothing_to_do(Path(folder))
    figures = {}
    for title, value in found.items():
        figures[title] = {"value": value, "goal": GOALS[title], "met": value <= GOALS[title]}
        print(f"{title:36} {value:7.3f}   goal {GOALS[title]}")  # noqa: T201
    print(json.dumps({"benchmark": "orchestration", "figures": figures, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
