"""The loop over tasks with an engine that hands back several at once: what is cancelled is never heard of again."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings, Resources
from ensemble.config.reading import load_experiment
from ensemble.config.settings import Recipe
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine
from ensemble.engine.inline import InlineEngine
from ensemble.engine.resources import Amounts
from ensemble.engine.tasks.base import Outcome, Task
from ensemble.engine.tasks.failures import Failure
from ensemble.engine.tasks.features import Features, FeatureTask
from ensemble.engine.tasks.fold import FoldResult, FoldTask
from ensemble.engine.tasks.pilot import Pilot, PilotTask
from ensemble.grow.trials import _at_once
from ensemble.store.context import RunContext
from ensemble.store.oof import OofStore
from ensemble.store.opening import facts_of, prepare
from ensemble.training.budget import Budget, Limits
from ensemble.training.execute import Training
from ensemble.training.pilots import run_pilots
from ensemble.training.plan import plan_folds
from ensemble.training.speeds import Speeds
from tests.competitions import LINEAR, write_config
from tests.ensemble.training.test_train import foreign


class Batches(Engine):
    """Does whatever is submitted at once, and hands all of it back together; `bad` tasks fail."""

    def __init__(self, bad: Sequence[str] = (), cpus: int = 8, seconds: float = 1.0) -> None:
        super().__init__()
        self.bad, self.cpus, self.seconds = bad, cpus, seconds
        self.submitted: list[str] = []
        self._waiting: list[Task] = []

    def nodes(self) -> Sequence[Amounts]:
        return [{"CPU": float(self.cpus)}]

    def free(self) -> Amounts:
        return {"CPU": float(self.cpus - len(self._waiting))}

    def in_use(self) -> Amounts:
        return {"CPU": float(len(self._waiting))}

    def submit(self, task: Task) -> None:
        self.submitted.append(task.title)
        self._waiting.append(task)

    def cancel(self, group: str) -> None:
        self._waiting = [task for task in self._waiting if task.group != group]

    @property
    def busy(self) -> bool:
        return bool(self._waiting)

    def wait(self, board: ProgressBoard) -> list[Outcome]:
        done, self._waiting = self._waiting, []
        return [Outcome(task, self._outcome(task), "here", 0.0, self.seconds) for task in done]

    def _outcome(self, task: Task) -> FoldResult | Features | Failure:
        if any(task.title.startswith(name) for name in self.bad):
            return Failure("RuntimeError: no", "Traceback")
        if isinstance(task, FeatureTask):
            return Features(np.zeros((task.rows.stop - task.rows.start, 2), np.float32), 1.0)
        assert isinstance(task, FoldTask)
        held_out = int((self.shared["folds"] == task.fold).sum())
        test = len(self.shared["photographs"]) - len(self.shared["folds"])
        halves = np.full(held_out, 0.5), np.full(test, 0.5)
        name, fold = task.member.name, task.fold
        return FoldResult(name, fold, *halves, self.seconds, 0.0, 0.0, self.seconds, 0.0, 1, {})


def training(
    config: Path, data: Path, oof: Path, engine: Engine, seconds: float = math.inf
) -> tuple[Training, Experiment, io.StringIO]:
    """With a budget of so many seconds."""
    experiment, said = load_experiment(config), io.StringIO()
    competition, store = Competition.open(data, experiment.data), OofStore(oof / "small")
    board = ProgressBoard(console=Console(file=said, width=200))
    _, ledger = prepare(experiment, competition, store, board)
    store.begin(experiment, ledger, competition.sample, facts_of(competition))
    plan = plan_folds(list(experiment.members), ledger, competition, store)
    limits = Limits(budget=Budget(seconds, time.monotonic()))
    context = RunContext(competition, ledger, store, engine, board)
    return Training(context, plan, competition.decode(), limits), experiment, said


def test_of_a_table_that_fails_other_chunks_may_come_in_the_same_moment(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ensemble.engine.features import cache

    monkeypatch.setattr(cache, "CHUNK", 8)
    engine = Batches(bad=["features/LogDCT"])
    config = write_config(tmp_path / "c.yaml", LINEAR, foreign("other", "HighPass"))
    run, _, said = training(config, competition_folder, tmp_path / "oof", engine)
    assert not run.run()
    assert said.getvalue().count("linear FAILED: its features raised RuntimeError: no (traceback in ") == 1
    assert run.context.store.record("other", 2) is not None


def test_a_member_that_is_given_up_is_not_heard_of_again(competition_folder: Path, tmp_path: Path) -> None:
    """Both were to take a second; a fold of the first takes an hour, and the second one's comes in the same moment."""
    config = write_config(tmp_path / "c.yaml", foreign("first", "HighPass"), foreign("second", "HighPass"))
    engine = Batches(cpus=2, seconds=3600.0)
    run, _, said = training(config, competition_folder, tmp_path / "oof", engine, 100.0)
    for name in ("first", "second"):
        run.speeds.estimate(name, 1.0, 0.0)
    assert run.run()
    assert said.getvalue().count("first is dropped: it would not finish in time") == 1
    assert engine.submitted == ["first/fold-0", *(f"second/fold-{fold}" for fold in range(3))], "nothing is done twice"


def test_features_that_members_share_are_counted_once(competition_folder: Path, tmp_path: Path) -> None:
    four = [LINEAR.replace("linear", f"linear_{n}") for n in range(4)]
    engine = Batches(cpus=1)
    run, _, said = training(
        write_config(tmp_path / "c.yaml", *four), competition_folder, tmp_path / "oof", engine, 90.0
    )
    for n in range(4):
        run.speeds.estimate(f"linear_{n}", 1.0, 1.0)  # 52 photographs: 52 s of features, and 3 s of folds each
    assert run.run()
    assert "linear_0, linear_1, linear_2, linear_3, about 64 s" in said.getvalue()


@pytest.mark.training
def test_members_that_share_bad_features_are_lost_together(competition_folder: Path, tmp_path: Path) -> None:
    two = [LINEAR.replace("linear", f"linear_{n}") for n in range(2)]
    config = write_config(tmp_path / "c.yaml", *two, foreign("other", "HighPass"))
    run, _, said = training(config, competition_folder, tmp_path / "oof", Batches(bad=["features/"], cpus=1), 90.0)
    for name in ("linear_0", "linear_1", "other"):
        run.speeds.estimate(name, 1.0, 0.1)
    assert not run.run()
    assert said.getvalue().count("FAILED: its features raised") == 2
    assert run.context.store.record("other", 2) is not None


def test_what_no_pilot_could_measure_runs_when_all_else_is_done(competition_folder: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", foreign("odd", "HighPass"), foreign("known", "HighPass"))
    engine = Batches(bad=["pilot/"], cpus=1)
    run, _, said = training(config, competition_folder, tmp_path / "oof", engine, 90.0)
    run.speeds.estimate("known", 1.0, 0.0)
    assert run.run()
    assert "odd could not be tried: RuntimeError: no" in said.getvalue()
    assert engine.submitted == ["pilot/odd", *(f"{name}/fold-{fold}" for name in ("known", "odd") for fold in range(3))]


def test_a_full_disk_does_not_make_a_failure_worse(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ensemble.training import execute

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(execute, "write_text", full)
    config = write_config(tmp_path / "c.yaml", foreign("bad", "HighPass"), foreign("other", "HighPass"))
    run, _, said = training(config, competition_folder, tmp_path / "oof", Batches(bad=["bad/"]))
    assert not run.run()
    assert "bad/fold-0 FAILED: RuntimeError: no (its traceback could not be written: No space" in said.getvalue()
    assert run.context.store.record("other", 2) is not None
    assert math.isfinite(run.speeds.fold("other"))


def test_after_the_pilots_all_of_the_budget_is_there(competition_folder: Path, tmp_path: Path) -> None:
    config, engine = write_config(tmp_path / "c.yaml", foreign("odd", "HighPass")), Batches(bad=["pilot/"])
    run, _, _ = training(config, competition_folder, tmp_path / "oof", engine, 900.0)
    assert run.run()
    assert engine.deadline == run.limits.budget.deadline


class Measured(Batches):
    """An engine whose pilots all take as long."""

    def _outcome(self, task: Task) -> Any:
        return Pilot(3.0, 1.0, 100.0, 0.25) if isinstance(task, PilotTask) else super()._outcome(task)


def test_a_pilot_says_how_long_all_rows_take(competition_folder: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", foreign("a", "HighPass"))
    run, _, _ = training(config, competition_folder, tmp_path / "oof", Measured())
    run.context.share(run.pixels)
    speeds = Speeds()
    assert run_pilots(run.context, run.plan.members, Budget(900, time.monotonic()), speeds) == {}
    assert speeds.fold("a") == pytest.approx(3 + (40 - 40 / 3) + 100 * (40 / 3 + 12))
    assert speeds.photograph("a") == 0.25


def test_what_is_scarce_decides_how_many_slots_a_task_takes() -> None:
    class Cluster(Batches):
        def nodes(self) -> Sequence[Amounts]:
            return [{"CPU": 16.0, "GPU": 1.0}, {"CPU": 4.0}]

    cluster = Cluster()
    assert cluster.slots() == 20
    assert cluster.slots_of(Resources(num_cpus=2)) == 2
    assert cluster.slots_of(Resources(num_cpus=2, num_gpus=1)) == 20, "one after the other"
    assert cluster.slots_of(Resources(num_cpus=2, num_gpus=0.5)) == 10
    assert InlineEngine().slots_of(Resources(num_cpus=2)) == InlineEngine().slots() == 1
    for resources, trials in ((Resources(num_cpus=2), 10), (Resources(num_gpus=0.5), 2), (Resources(num_gpus=1), 1)):
        assert _at_once(cluster, MemberSettings(name="a", model=Recipe(use="a.B"), resources=resources)) == trials
