"""The loop of the driver: outcomes go to whoever submitted the task, features are computed once for all readers."""

from __future__ import annotations

import gc
import io
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ensemble.config.members import Resources
from ensemble.config.settings import Recipe
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.features import cache
from ensemble.engine.features.table import FeatureTable, Photographs
from ensemble.engine.features.tables import FeaturesFailed, FeatureTables, compute_features
from ensemble.engine.inline import InlineEngine
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.tasks import features
from ensemble.engine.tasks.base import PHOTOGRAPHS, Outcome, Report, Task
from ensemble.engine.tasks.failures import Failure
from ensemble.engine.tasks.features import FeatureTask, TableRequest

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


class Means:
    """One column; a negative `limit` raises."""

    calls: list[int] = []  # noqa: RUF012  of the whole process

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit

    def transform(self, X: np.ndarray) -> np.ndarray:
        if self.limit < 0:
            raise RuntimeError("no features of these")
        self.calls.append(len(X))
        return X.mean((1, 2, 3))[:, None]


RECIPE = Recipe(use=f"{Means.__module__}.Means")


@dataclass(frozen=True)
class Adds(Task):
    """Adds one to a number of its own; `fails` raises."""

    number: int
    fails: bool = False

    @property
    def title(self) -> str:
        return f"{self.group}/{self.number}"

    @property
    def group(self) -> str:
        return "adds"

    @property
    def resources(self) -> Resources:
        return Resources()

    def run(self, inputs: list[Any], report: Report) -> int:
        if self.fails:
            raise RuntimeError("not this one")
        return self.number + 1


@pytest.fixture
def board() -> ProgressBoard:
    return ProgressBoard(console=Console(file=io.StringIO(), width=200))


@pytest.fixture
def pipeline(board: ProgressBoard) -> Pipeline:
    engine = InlineEngine()
    engine.share(PHOTOGRAPHS, PIXELS)
    return Pipeline(engine, board)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CHUNK", 8)
    Means.calls.clear()


def test_each_outcome_goes_to_its_submitter(pipeline: Pipeline) -> None:
    ours: list[Outcome] = []
    theirs: list[Outcome] = []
    pipeline.submit([Adds(1), Adds(2, fails=True)], ours.append)
    pipeline.submit([Adds(3)], theirs.append)
    pipeline.run()
    assert [outcome.value for outcome in ours if outcome.failure is None] == [2]
    assert [outcome.failure.cause for outcome in ours if outcome.failure] == ["RuntimeError: not this one"]
    assert [outcome.value for outcome in theirs] == [4]
    assert [entry["outcome"] for entry in pipeline.history] == ["done", "failed", "done"]


def test_a_receiver_may_submit_more_and_cancel(pipeline: Pipeline) -> None:
    received: list[str] = []

    def receive(outcome: Outcome) -> None:
        received.append(outcome.task.title)
        if outcome.value < 3:
            pipeline.submit([Adds(outcome.value)], receive)
        else:
            pipeline.cancel("adds")

    pipeline.submit([Adds(1), Adds(50)], receive)
    pipeline.run()
    assert received == ["adds/1", "adds/50"], "the one that the first submitted was cancelled by the second"
    assert len(pipeline.queue) == 0


def test_nothing_starts_when_the_time_is_up(pipeline: Pipeline) -> None:
    pipeline.engine.deadline = 0.0
    received: list[Outcome] = []
    pipeline.submit([Adds(1)], received.append)
    pipeline.run()
    assert not received
    assert len(pipeline.queue) == 1


def test_the_queue_is_refilled_until_nothing_is_left(pipeline: Pipeline) -> None:
    waiting, received = list(range(5)), list[int]()

    def refill() -> None:
        if waiting:
            pipeline.submit([Adds(waiting.pop(0))], lambda outcome: received.append(outcome.value))

    pipeline.run(refill)
    assert received == [1, 2, 3, 4, 5]


def test_a_table_is_computed_once_and_cached(pipeline: Pipeline, tmp_path: Path) -> None:
    tables, photographs = FeatureTables(pipeline, tmp_path), Photographs(PIXELS)
    request, found = TableRequest(RECIPE), list[FeatureTable | Failure]()
    assert tables.remaining(request, photographs) == [8, 8, 4]
    tables.request(request, photographs, found.append)
    pipeline.run()
    assert tables.remaining(request, photographs) == []
    tables.request(request, photographs, found.append)
    assert len(found) == 2
    assert isinstance(found[0], FeatureTable)
    np.testing.assert_allclose(np.asarray(found[0].values())[:, 0], PIXELS.mean((1, 2, 3)), rtol=1e-6)
    assert sorted(Means.calls) == [1, 1, 1, 4, 8, 8], "each chunk, and one row of it alone"
    Means.calls.clear()
    again = compute_features(RECIPE, PIXELS, pipeline.engine, tmp_path, pipeline.board)
    np.testing.assert_array_equal(again, found[0].values())
    assert not Means.calls


def test_what_a_transformer_raises_goes_to_the_reader(pipeline: Pipeline, tmp_path: Path) -> None:
    bad = Recipe(use=RECIPE.use, limit=-1)
    found: list[FeatureTable | Failure] = []
    FeatureTables(pipeline, tmp_path).request(TableRequest(bad), Photographs(PIXELS), found.append)
    pipeline.run()
    assert [each.cause for each in found if isinstance(each, Failure)] == ["RuntimeError: no features of these"]
    assert len(pipeline.queue) == 0, "the other chunks are cancelled"
    with pytest.raises(FeaturesFailed, match="no features of these"):
        compute_features(bad, PIXELS, pipeline.engine, tmp_path, pipeline.board)


class Uneven:
    """As many columns as the first photograph says; warns of it."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        warnings.warn("columns differ", stacklevel=2)
        return np.zeros((len(X), 1 + int(X[0, 0, 0, 0])))


def test_a_worker_compares_the_key_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    task = FeatureTask(TableRequest(RECIPE), slice(0, 8), 0)
    monkeypatch.setattr(features, "features_key", lambda recipe: "of other code")
    there = pickle.loads(pickle.dumps(task))  # noqa: S301  our own
    assert there.request.key == task.request.key != "of other code"
    with pytest.raises(RuntimeError, match="this node has another one"):
        there.prepare()


def test_tables_that_cannot_be_put_together_are_a_failure_of_their_readers(pipeline: Pipeline, tmp_path: Path) -> None:
    recipe, pixels = Recipe(use=f"{__name__}.Uneven"), np.zeros((20, 8, 8, 3), dtype=np.uint8)
    pixels[8:16] = 1
    pipeline.engine.share(PHOTOGRAPHS, pixels)
    request, readers = TableRequest(recipe), (list[Any](), list[Any]())
    cause = f"ValueError: {recipe.use} gives another number of columns for other photographs"
    tables = FeatureTables(pipeline, tmp_path)
    for found in readers:
        tables.request(request, Photographs(pixels), found.append)
    pipeline.run()
    for found in readers:
        assert [each.cause for each in found] == [cause]
    printed = pipeline.board.console.file.getvalue()  # type: ignore[attr-defined]
    assert printed.count("columns differ") == 1
    again: list[Any] = []
    cached = FeatureTables(pipeline, tmp_path)
    for _ in range(2):
        cached.request(request, Photographs(pixels), again.append)
        pipeline.run()
    assert [each.cause for each in again] == [cause] * 2


def test_a_table_that_nobody_reads_any_more_is_gone(pipeline: Pipeline, tmp_path: Path) -> None:
    tables, request = FeatureTables(pipeline, tmp_path), TableRequest(RECIPE)
    found: list[Any] = []
    tables.request(request, Photographs(PIXELS), found.append)
    pipeline.run()
    path = found.pop().values()._path
    assert path.exists()
    assert request.key in pipeline.engine.shared
    tables.forget(request, Photographs(PIXELS))
    pipeline.history.clear()
    gc.collect()
    assert not path.exists()
    assert request.key not in pipeline.engine.shared


def test_forgotten_tables_are_not_computed(pipeline: Pipeline, tmp_path: Path) -> None:
    tables, request = FeatureTables(pipeline, tmp_path), TableRequest(RECIPE)
    tables.request(request, Photographs(PIXELS), pytest.fail)
    tables.forget(request, Photographs(PIXELS))
    pipeline.run()
    assert not Means.calls
