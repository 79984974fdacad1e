"""Longest first, by what folds took before; and folds that take too long."""

from __future__ import annotations

import itertools
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.config.members import MemberSettings
from ensemble.config.reading import load_experiment
from ensemble.engine.resources import requested, subtract
from ensemble.engine.task_queue import TaskQueue
from ensemble.engine.tasks.base import Task
from ensemble.engine.tasks.fold import FoldTask
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.train import train
from ensemble.training.budget import Limits
from ensemble.training.speeds import speeds_of
from tests.competitions import LINEAR, write_config
from tests.ensemble.training.test_train import foreign


def tasks(*members: str, n_folds: int = 2, resources: dict[str, float] | None = None) -> list[FoldTask]:
    settings = [
        MemberSettings.model_validate({"name": name, "model": {"use": "a.B"}, "resources": resources or {}})
        for name in members
    ]
    return [FoldTask(member, fold, "") for member in settings for fold in range(n_folds)]


def queue(seconds: dict[str, float], *waiting: Task) -> TaskQueue:
    found = TaskQueue(lambda task: seconds.get(task.group, math.inf))
    found.add(waiting)
    return found


def in_use(queue: TaskQueue, free: dict[str, float]) -> list[str]:
    """Titles of what begins, and what is free is less by it."""
    titles = []
    while (task := queue.take(free, lambda _: "here")) is not None:
        titles.append(task.title)
        free = subtract(free, requested(task.resources))
    return titles


def test_the_unknown_come_first_and_the_longest_next() -> None:
    found = queue({"quick": 1.0, "slow": 60.0}, *tasks("quick", "new", "slow", "other"))
    expected = ["new/fold-0", "other/fold-0", "new/fold-1", "other/fold-1"]
    assert in_use(found, {"CPU": 8}) == [*expected, "slow/fold-0", "slow/fold-1", "quick/fold-0", "quick/fold-1"]
    assert len(found) == 0


def test_what_is_measured_takes_its_place() -> None:
    seconds = {"slow": 60.0}
    found = queue(seconds, *tasks("new", "slow"))
    assert in_use(found, {"CPU": 1}) == ["new/fold-0"]
    seconds["new"] = 1.0
    found.reorder("new")
    assert in_use(found, {"CPU": 8}) == ["slow/fold-0", "slow/fold-1", "new/fold-1"]


def test_what_does_not_fit_keeps_what_it_lacks() -> None:
    """Small tasks do not starve a large one, and a full GPU holds up nobody who wants none."""
    seconds = {"wide": 60.0, "graphics": 90.0, "small": 1.0}
    small = tasks("small", n_folds=3)
    found = queue(seconds, *tasks("wide", n_folds=1, resources={"num_cpus": 2}), *small)
    assert in_use(found, {"CPU": 1}) == []
    found = queue(seconds, *tasks("graphics", n_folds=1, resources={"num_gpus": 1}), *small)
    assert in_use(found, {"CPU": 2, "GPU": 0.5}) == ["small/fold-0", "small/fold-1"]


def test_ten_tenths_of_a_gpu_are_one() -> None:
    found = queue({}, *tasks("tenth", n_folds=12, resources={"num_gpus": 0.1}))
    assert len(in_use(found, {"CPU": 99, "GPU": 1})) == 10


_MOVES = st.lists(st.tuples(st.sampled_from(["add", "drop", "reorder", "take"]), st.sampled_from("abc")), max_size=40)


@given(_MOVES)
def test_nothing_is_lost_and_nothing_runs_twice(moves: list[tuple[str, str]]) -> None:
    found, expected, fresh = queue({"a": 3.0, "b": 5.0}), set(), iter(range(1000))
    for move, group in moves:
        if move == "add":
            task = replace(tasks(group, n_folds=1)[0], fold=next(fresh))
            found.add([task])
            expected.add(task.title)
        elif move == "drop":
            found.drop(group)
            expected = {title for title in expected if not title.startswith(group)}
        elif move == "reorder":
            found.reorder(group)
        elif (begun := found.take({"CPU": 1}, lambda _: "here")) is not None:
            expected.remove(begun.title)
        assert len(found) == len(expected)
    assert set(in_use(found, {"CPU": 1000})) == expected


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1e-3, 1e6), min_size=1), st.integers(1, 3))
def test_at_most_a_third_longer_than_the_best_order(seconds: dict[str, float], slots: int) -> None:
    titles = in_use(queue(seconds, *tasks(*seconds, n_folds=1)), {"CPU": 8})
    found = [seconds[title.partition("/")[0]] for title in titles]
    ends = [0.0] * slots
    for length in found:
        ends[int(np.argmin(ends))] += length
    assignments = itertools.product(range(slots), repeat=len(found))
    best = min(np.bincount(places, weights=found, minlength=slots).max() for places in assignments)
    assert max(ends) <= best * 4 / 3 * (1 + 1e-9)


def test_what_folds_took_is_known_from_the_store(trained: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    shutil.rmtree(store.fold_folder("linear", 0))
    found = speeds_of(store, ["linear", "boosted", "unheard-of"], 3)
    records = [record for fold in (1, 2) if (record := store.record("linear", fold))]
    assert [found.known(member) for member in ("linear", "boosted", "unheard-of")] == [True, True, False]
    assert found.fold("linear") == pytest.approx(np.mean([record.finished - record.started for record in records]))
    assert found.photograph("linear") == pytest.approx(records[0].seconds_features_per_photograph)
    found.measured("linear", 7.0)
    found.measured("linear", 9.0)
    assert found.fold("linear") == 8.0


@pytest.mark.training
def test_a_fold_that_hangs_is_ended_and_its_siblings_finish(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "mark"
    mark.mkdir()
    config = write_config(tmp_path / "c.yaml", foreign("hangs", "HangsInOneFold", mark=mark), LINEAR)
    experiment = load_experiment(config)
    store = OofStore(tmp_path / "oof" / "small")
    assert not train(experiment, list(experiment.members), competition_folder, store, "inline", Limits(4))
    said = capsys.readouterr().out
    assert "hangs/fold-1 FAILED: it ran longer than --timeout allows (4 s) and was ended" in said
    predictions = load_predictions(store)
    assert predictions.members == ["hangs", "linear"]
    assert predictions.partial == {"hangs": "2 of 3 folds (not trained)"}
    assert len(list(mark.glob("1-*"))) == 1, "a fold that hangs is not tried again"
