"""Under fire on clusters: machines that are lost, memory that runs out, an object store that is too small."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from ray.cluster_utils import Cluster

from ensemble.store.oof import OofStore
from tests.competitions import LINEAR, write_competition, write_config
from tests.conftest import train_inline
from tests.ensemble.training.test_train import foreign
from tests.fire import Run, alive, finished, traces, until

pytestmark = [pytest.mark.process, pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head with one CPU. It ends with the test."""
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        yield found
    finally:
        found.shutdown()


def on(cluster: Cluster) -> dict[str, str]:
    return {"RAY_ADDRESS": cluster.address}


@pytest.mark.fault("the raylet of one of two nodes is killed")
def test_a_machine_is_lost(cluster: Cluster, competition_folder: Path, tmp_path: Path) -> None:
    """SIGKILL for the raylet of one of two nodes in the middle of a fold; another node joins later."""
    mark = tmp_path / "mark"
    mark.mkdir()
    quick = write_config(tmp_path / "quick.yaml", foreign("slow", "HighPass"), LINEAR)
    quiet = finished(train_inline(quick, competition_folder, tmp_path / "quiet"))
    config = write_config(tmp_path / "c.yaml", foreign("slow", "HighPass", mark=mark, seconds=12), LINEAR)
    second = cluster.add_node(num_cpus=1)
    run = Run(config, competition_folder, tmp_path / "oof", env=on(cluster))
    until(lambda: len({raylet_of(pid) for fold in range(3) for pid in traces(mark, fold) if alive(pid)}) == 2, run)
    cluster.remove_node(second, allow_graceful=False)
    code, said = run.end()
    assert code == 0, said
    assert "it is tried again" in said
    assert len(list(mark.iterdir())) > 3
    assert finished(OofStore(tmp_path / "oof" / "small")) == quiet


def raylet_of(process: int) -> int:
    """The raylet that started a worker: one for each node."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.fault("a worker is killed in mid-fold")
def test_a_fold_whose_worker_was_killed_is_tried_on_another_machine(
    cluster: Cluster, competition_folder: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    mark.mkdir()
    config = write_config(tmp_path / "c.yaml", foreign("slow", "HighPass", mark=mark, seconds=4))
    cluster.add_node(num_cpus=1)
    run = Run(config, competition_folder, tmp_path / "oof", env=on(cluster))
    until(lambda: traces(mark, 1), run)
    (first,) = traces(mark, 1)
    machine = raylet_of(first)
    os.kill(first, signal.SIGKILL)
    until(lambda: len(traces(mark, 1)) == 2, run)
    assert raylet_of(traces(mark, 1)[1]) != machine
    code, said = run.end()
    assert code == 0, said
    assert "slow/fold-1: its worker died; it is tried again" in said


@pytest.mark.fault("memory runs out")
@pytest.mark.parametrize("always", [False, True])
def test_memory_runs_out(always: bool, competition_folder: Path, tmp_path: Path) -> None:
    """Ray kills the worker; the fold gets a machine for itself, and when that does not help, it alone is lost."""
    mark = tmp_path / "mark"
    mark.mkdir()
    hoards = foreign("hoards", "Hoards", mark=mark, always=str(always).lower())
    config = write_config(tmp_path / "c.yaml", hoards, foreign("other", "HighPass", seconds=0.5), LINEAR)
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 6 * 2**30) / memory.total
    settings = {"RAY_memory_usage_threshold": f"{threshold:.3f}", "RAY_memory_monitor_refresh_ms": "100"}
    code, said = Run(config, competition_folder, tmp_path / "oof", env=settings).end()
    assert code == (1 if always else 0), said
    assert "hoards/fold-1: its worker was killed for want of memory; it is tried again" in said
    assert ("hoards/fold-1 FAILED" in said) == always
    assert len(set(traces(mark, 1))) == (3 if always else 2)
    assert len(finished(OofStore(tmp_path / "oof" / "small"))) == (8 if always else 9)


@pytest.mark.fault("the object store is too small")
def test_the_object_store_is_too_small(tmp_path: Path) -> None:
    """Photographs of 98 MB and a store of 80 MB: what does not fit goes to the disk, and nothing is lost."""
    data = write_competition(tmp_path / "data", train=400, test=100, size=256, suffix=".jpg")
    config = write_config(tmp_path / "c.yaml", foreign("reads", "HighPass"), foreign("too", "HighPass", seconds=0.1))
    quiet = finished(train_inline(config, data, tmp_path / "quiet"))
    small = {"num_cpus": 2, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=small)
    try:
        code, said = Run(config, data, tmp_path / "oof", env=on(cluster)).end()
    finally:
        cluster.shutdown()
    assert code == 0, said
    assert finished(OofStore(tmp_path / "oof" / "small")) == quiet
