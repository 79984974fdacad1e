"""What engines promise: who is tried again and where, what may run at once, what a cluster that grows is asked for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from ray.cluster_utils import Cluster

from ensemble.config.members import MemberSettings, Resources
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine import inline, ray_engine
from ensemble.engine.inline import InlineEngine
from ensemble.engine.resources import format_resources, requested, subtract, total
from ensemble.engine.retries import DEATHS, LOSSES, Attempt
from ensemble.engine.tasks.base import Report, Shared, Task
from ensemble.engine.tasks.fold import FoldTask
from ensemble.store.oof import OofStore
from tests.competitions import LINEAR, write_config
from tests.ensemble.training.test_train import foreign
from tests.fire import Run, finished, until

MEMBER = MemberSettings.model_validate({"name": "m", "model": {"use": "a.B"}, "resources": {"num_cpus": 2}})
NODES = [{"CPU": 4.0, "memory": 8.0}, {"CPU": 16.0, "memory": 32.0}]


def attempt() -> Attempt:
    return Attempt(FoldTask(MEMBER, 0, ""))


def test_a_dead_worker_is_forgiven_twice_and_its_node_avoided() -> None:
    tried: Attempt | None = attempt()
    for death in range(DEATHS):
        assert tried is not None
        tried.report_start(f"node-{death}")
        tried = tried.again(node_lives=True, out_of_memory=False)
    assert tried is not None
    assert tried.avoid == {"node-0", "node-1"}
    assert tried.running_since is None, "the clock of --timeout starts anew"
    assert not tried.alone
    assert tried.again(node_lives=True, out_of_memory=False) is None


def test_machines_that_are_taken_back_are_nobodys_fault() -> None:
    tried: Attempt | None = attempt()
    for _ in range(LOSSES):
        assert tried is not None
        tried = tried.again(node_lives=False, out_of_memory=False)
    assert tried is not None
    assert (tried.deaths, tried.avoid) == (0, frozenset())
    assert tried.again(node_lives=False, out_of_memory=False) is None


def test_after_a_death_for_want_of_memory_a_fold_is_alone_on_a_machine() -> None:
    tried = attempt().again(node_lives=True, out_of_memory=True)
    assert tried is not None
    assert tried.amounts_on(NODES) == {"CPU": 16.0}
    assert attempt().amounts_on(NODES) == {"CPU": 2.0}


def test_amounts() -> None:
    asked = requested(Resources(num_cpus=2, num_gpus=0.5, memory_gib=3, custom={"disk": 1}))
    assert asked == {"CPU": 2, "GPU": 0.5, "memory": 3, "disk": 1}
    assert format_resources(asked) == "2 CPUs, 0.5 GPUs, 3 GiB, 1 disk"
    assert subtract(total(NODES), asked) == {"CPU": 18.0, "memory": 37.0}


def test_a_machine_by_itself_waits_for_nobody() -> None:
    waits = MEMBER.model_copy(update={"resources": Resources(num_gpus=1, without_gpu="wait", custom={"disk": 1})})
    able, unable = InlineEngine().fit_to_hardware([MEMBER, waits.model_copy(update={"name": "waits"})])
    assert [member.name for member in able] == ["m"]
    assert "requests 1 CPU, 1 GPU, 1 disk, and no node has that much" in unable["waits"]


@pytest.fixture(scope="module")
def grown(
    tmp_path_factory: pytest.TempPathFactory, competition_folder: Path
) -> Iterator[tuple[OofStore, str, list[dict[str, Any]]]]:
    """The store, what was said and the timeline of a run on a node with a named resource; one with a GPU joins."""
    folder = tmp_path_factory.mktemp("grown")
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "resources": {"disk": 1}, "include_dashboard": False}
    )
    config = write_config(
        folder / "c.yaml",
        foreign("waits", "HighPass", "{num_gpus: 0.5, without_gpu: wait}"),
        foreign("reads", "HighPass", "{custom: {disk: 1}}", seconds=1),
        LINEAR.replace("features:", "features_resources: {custom: {disk: 0.5}}\n    features:"),
    )
    store = OofStore(folder / "oof" / "small")
    try:
        run = Run(config, competition_folder, folder / "oof", env={"RAY_ADDRESS": cluster.address})
        until(lambda: len(finished(store)) == 6, run)  # all that can be done without a GPU
        cluster.add_node(num_cpus=1, num_gpus=1)
        code, said = run.end()
        assert code == 0, said
        yield store, said, json.loads((store.root / "runs.json").read_text())[-1]["timeline"]
    finally:
        cluster.shutdown()


Grown = tuple[OofStore, str, list[dict[str, Any]]]


@pytest.mark.process
@pytest.mark.ray
@pytest.mark.slow
def test_who_waits_for_a_gpu_runs_when_one_joins(grown: Grown) -> None:
    store, said, timeline = grown
    assert len(finished(store)) == 9
    assert said.index("waits/fold-0 done") > said.index("linear/fold-2 done"), "the others go first"
    places = {entry["task"].partition("/")[0]: entry["place"].partition("/")[0] for entry in timeline}
    assert places["waits"] != places["reads"]


@pytest.mark.process
@pytest.mark.ray
@pytest.mark.slow
def test_a_named_resource_is_never_shared_by_more_than_there_is(grown: Grown) -> None:
    spans = sorted((e["started"], e["finished"]) for e in grown[2] if e["task"].startswith("reads/"))
    assert all(end <= begin + 1e-3 for (_, end), (begin, _) in pairwise(spans))


@pytest.mark.process
@pytest.mark.ray
@pytest.mark.slow
def test_a_worker_that_used_a_gpu_ends_and_others_stay(grown: Grown) -> None:
    processes = {name: [e["place"] for e in grown[2] if e["task"].startswith(name)] for name in ("waits/", "reads/")}
    assert len(set(processes["waits/"])) == 3
    assert len(set(processes["reads/"])) < 3


@dataclass(frozen=True)
class Small(Task):
    """A task that does what it is made of."""

    title = group = "small"
    resources = Resources()
    what: Callable[[], Any]

    def run(self, inputs: list[Any], report: Report) -> Any:
        return self.what()


@dataclass(frozen=True)
class Gone(Small):
    """A task whose files are gone when they are to be read."""

    def pick(self, shared: Shared) -> list[Any]:
        raise FileNotFoundError(2, "No such file", "model.skops")


def test_what_a_task_cannot_pick_is_its_own_failure() -> None:
    engine = InlineEngine()
    engine.submit(Gone(int))
    assert engine.wait(ProgressBoard())[0].failure is not None


def test_attempts_at_one_task_have_names_of_their_own() -> None:
    assert attempt().name != attempt().name


def test_a_worker_stays_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member may leave it; paths of the worker's next task are relative to it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        ray_engine.ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "n", gcs_address="")
    )
    reports = SimpleNamespace(post=SimpleNamespace(remote=lambda *_: None))
    ray_engine._run("t#0", reports, Small(lambda: os.chdir("/")))
    assert Path.cwd() == tmp_path


def sleep_twice() -> None:
    with suppress(BaseException):
        time.sleep(5)
    time.sleep(4)


def test_a_limit_that_was_passed_over_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline, "_AGAIN", 0.3)
    begun = time.monotonic()
    with pytest.raises(inline.TimeLimit), inline.time_limit(0.2):
        sleep_twice()
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("name", ["CPU", "GPU", "memory"])
def test_resources_that_have_a_setting_are_none_of_the_owners(name: str) -> None:
    with pytest.raises(ValidationError, match=r"set (num_|memory_gib)"):
        Resources(custom={name: 1})
