"""Sixty-four machines and thousands of folds, simulated: what the driver costs, and what it would choke on.

`make bench NAME=scale [ARGS=ray]`; some minutes. Everything is real but the machines: agenda, loop, board, and a store
on this disk with 8,000 training and 12,000 test rows; only the live blend is left away, which takes up to a twentieth
of the driver's time. The simulated clock stands still for nobody: every second that the driver really computes passes
on it too, and machines that are done meanwhile wait. Efficiency is the folds' own seconds over those of all machines.
`ARGS=ray` runs 64 one-CPU slots of a real Ray on this machine, whose members sleep: fifteen minutes, and 10 GiB of
memory.
"""

from __future__ import annotations

import cProfile
import heapq
import io
import json
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from sklearn.base import BaseEstimator, ClassifierMixin

from ensemble.competition.rows import SampleTable
from ensemble.config.experiment import FoldSettings
from ensemble.config.members import MemberSettings
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine
from ensemble.engine.choose import engine_maker
from ensemble.engine.recipes.code import recipe_code
from ensemble.engine.resources import CPU, Amounts, requested, subtract, total
from ensemble.engine.tasks.base import Outcome, Task
from ensemble.engine.tasks.fold import FoldResult, FoldTask
from ensemble.folds.ledger import FoldLedger
from ensemble.store.context import RunContext
from ensemble.store.oof import OofStore
from ensemble.store.record import Provenance
from ensemble.training.execute import Training
from ensemble.training.plan import Plan

MACHINES, FOLDS, SECONDS = 64, 5, 30.0
SIZES = (500, 1_000, 2_000, 4_000, 10_000)
TRAIN, TEST = 8_000, 12_000
LATENCY = 0.016  # seconds until a task begins, as `make bench NAME=orchestration` measures it on Ray
EFFICIENCY = 0.95
MIB = 2**20


class SimulatedEngine(Engine):
    """Machines of one CPU whose folds take no real time, each as long as its member's lot says."""

    def __init__(self, machines: int, seconds: dict[str, float]) -> None:
        super().__init__()
        self.machines, self.seconds = machines, seconds
        self.now, self.own = 0.0, 0.0
        self._mark = time.perf_counter()
        self._running: list[tuple[float, int, Task]] = []
        self._taken: dict[str, float] = {}
        self._count = 0
        self._predictions = np.random.default_rng(0).random(TRAIN // FOLDS + TEST)

    def nodes(self) -> Sequence[Amounts]:
        return [{CPU: 1.0}] * self.machines

    def free(self) -> Amounts:
        return subtract({CPU: float(self.machines)}, self._taken)

    def in_use(self) -> Amounts:
        return self._taken

    def submit(self, task: Task) -> None:
        self._pass_real_time()
        self._count += 1
        heapq.heappush(self._running, (self.now + LATENCY + self.seconds[task.group], self._count, task))
        self._taken = total([self._taken, requested(task.resources)])

    def wait(self, board: ProgressBoard) -> list[Outcome]:
        self._pass_real_time()
        self.now = max(self.now, self._running[0][0])
        found = []
        while self._running and self._running[0][0] <= self.now:
            end, _, task = heapq.heappop(self._running)
            self._taken = subtract(self._taken, requested(task.resources))
            found.append(self._finished(task, end))
        self._mark = time.perf_counter()
        return found

    def cancel(self, group: str) -> None:
        raise AssertionError("nothing is given up here")

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def _pass_real_time(self) -> None:
        now = time.perf_counter()
        self.now += now - self._mark
        self._mark = now

    def _finished(self, task: Task, end: float) -> Outcome:
        assert isinstance(task, FoldTask)
        seconds = self.seconds[task.group]
        self.own += seconds
        held_out = TRAIN // FOLDS
        heldout, test = self._predictions[:held_out], self._predictions[held_out:]
        result = FoldResult(
            task.member.name, task.fold, heldout, test, seconds, 0.0, end - seconds, end, 0.0, 1, {"numpy": "2"}
        )
        return Outcome(task, result, "simulated", end - seconds, end)


def ledger() -> FoldLedger:
    names = [f"{row:05d}.jpg" for row in range(TRAIN)]
    table = pd.DataFrame(
        {"name": names, "label": np.arange(TRAIN) % 2, "group": names, "fold": np.arange(TRAIN) // 2 % FOLDS}
    )
    settings = FoldSettings()
    return FoldLedger(table, FOLDS, settings.seed, settings.near_duplicate_distance)


class Data:
    """What the execution asks of a competition."""

    def __init__(self) -> None:
        names = [f"{row:05d}.jpg" for row in range(TEST)]
        self.sample = SampleTable(names, names, "name", "pred", ["name", "pred"])


def run(n_folds: int, folder: Path) -> dict[str, float]:
    """Efficiency, and real seconds and memory of the driver, for so many folds."""
    rng = np.random.default_rng(n_folds)
    members = [
        MemberSettings.model_validate({"name": f"member_{n}", "model": {"use": "tests.benchmarks.scale.Sleeps"}})
        for n in range(n_folds // FOLDS)
    ]
    seconds = {member.name: float(rng.lognormal(np.log(SECONDS), 0.5)) for member in members}
    engine = SimulatedEngine(MACHINES, seconds)
    before, begun, used = peak(), time.perf_counter(), time.process_time()
    carry_out(engine, members, folder / "store")
    return {
        "folds": n_folds,
        "efficiency": engine.own / (MACHINES * engine.now),
        "driver, s": time.perf_counter() - begun,
        "driver's CPU, ms a fold": (time.process_time() - used) / n_folds * 1000,
        "memory, MiB": peak() - before,
    }


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def profile(n_folds: int) -> list[str]:
    """What the driver spends its time on, the most first."""
    profiler = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        profiler.enable()
        run(n_folds, Path(folder))
        profiler.disable()
    stats: Any = pstats.Stats(profiler)
    rows = sorted(stats.stats.items(), key=lambda row: -row[1][3])
    ours = [(where, numbers[3]) for where, numbers in rows if "/ensemble/" in where[0]]
    return [f"{seconds:7.2f} s  {Path(where[0]).name}:{where[2]}" for where, seconds in ours[:14]]


class Sleeps(ClassifierMixin, BaseEstimator):
    """Sleeps, and says one half. It loads nothing, so that sixty-four workers fit into memory."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def fit(self, X: Any, y: Any) -> Sleeps:
        time.sleep(self.seconds)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), 2), 0.5)


def on_ray() -> None:
    """Efficiency of a real Ray with 64 slots: 2,000 folds of 20 seconds."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": MACHINES, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        with engine_maker("ray")() as engine, tempfile.TemporaryDirectory() as folder:
            sleep_on(engine, MACHINES * 2, 5.0, Path(folder) / "warm")
            efficiency = sleep_on(engine, 2_000, 20.0, Path(folder) / "store")
    finally:
        cluster.shutdown()
    figures = {"efficiency": {"value": efficiency, "goal": EFFICIENCY, "met": efficiency >= EFFICIENCY}}
    print(json.dumps({"benchmark": "scale, real Ray", "figures": figures, "absent": []}))  # noqa: T201


def sleep_on(engine: Engine, n_folds: int, seconds: float, folder: Path) -> float:
    members = [
        MemberSettings.model_validate(
            {"name": f"member_{n}", "model": {"use": "tests.benchmarks.scale.Sleeps", "seconds": seconds}}
        )
        for n in range(n_folds // FOLDS)
    ]
    begun = time.perf_counter()
    carry_out(engine, members, folder)
    return len(members) * FOLDS * seconds / MACHINES / (time.perf_counter() - begun)


def carry_out(engine: Engine, members: list[MemberSettings], folder: Path) -> None:
    """Every fold of the members, through the real execution, into a store."""
    folds, data = ledger(), Data()
    plan = Plan(
        [(member, fold) for member in members for fold in range(FOLDS)],
        [],
        {member.name: Provenance(member.recipe, folds.sha256, "", recipe_code(member.recipe)) for member in members},
        {},
    )
    board, store = ProgressBoard(console=Console(file=io.StringIO())), OofStore(folder)
    context = RunContext(data, folds, store, engine, board)  # type: ignore[arg-type]
    assert Training(context, plan, np.zeros((TRAIN + TEST, 1, 1, 3), np.uint8)).run()


def main() -> None:
    if sys.argv[1:] == ["ray"]:
        on_ray()
        return
    if sys.argv[1:]:  # one size in a process of its own, so that its peak of memory is its own
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run(int(sys.argv[1]), Path(folder))))  # noqa: T201
        return
    import subprocess

    found = []
    for size in SIZES:
        command = [sys.executable, "-m", "tests.benchmarks.scale", str(size)]
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print("  ".join(f"{name} {value:.4g}" for name, value in found[-1].items()), flush=True)  # noqa: T201
    print("\n".join(profile(2_000)))  # noqa: T201
    at = {row["folds"]: row for row in found}
    efficiency = at[2_000]["efficiency"]
    growth = at[10_000]["driver, s"] / at[1_000]["driver, s"] / 10
    figures = {
        "efficiency at 2,000 folds": {"value": efficiency, "goal": EFFICIENCY, "met": efficiency >= EFFICIENCY},
        "driver's time, 10,000 folds against ten times 1,000": {"value": growth, "goal": 1.2, "met": growth <= 1.2},
    }
    print(json.dumps({"benchmark": "scale", "figures": figures, "sizes": found, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
