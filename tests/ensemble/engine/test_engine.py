"""What engines promise: who is tried again and where, what may run at once, what a cluster that grows is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from ensemble.config.members import MemberSettings, Resources
from ensemble.engine.inline import InlineEngine
from ensemble.engine.resources import format_resources, requested, subtract, total
from ensemble.engine.retries import DEATHS, LOSSES, Attempt
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
