"""The engine on real Ray: the same results as in-process, and what happens when things break."""

from __future__ import annotations

import builtins
import io
import os
import socket
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from ray.cluster_utils import Cluster
from ray.experimental import tqdm_ray

from ensemble.config.members import Resources
from ensemble.config.reading import load_experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.core.storage.array_file import ArrayFile
from ensemble.engine import ray_connection
from ensemble.engine.ray_arrays import BlocksOfArray
from ensemble.engine.ray_engine import RayEngine
from ensemble.engine.tasks.base import Report, Task
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.train import train
from tests.competitions import BOOSTED, CNN, LINEAR, write_config
from tests.conftest import train_inline
from tests.ensemble.training.test_train import foreign
from tests.records import stored_predictions

Both = tuple[OofStore, OofStore, bool, str]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, competition_folder: Path, ray_address: str) -> Both:
    """One experiment in-process and on Ray, with members that fail, die and tell their threads; what Ray's run said."""
    folder = tmp_path_factory.mktemp("both")
    mark = folder / "mark"
    mark.mkdir()
    good = write_config(folder / "good.yaml", CNN, LINEAR, BOOSTED)
    inline = train_inline(good, competition_folder, folder / "inline")
    hard = write_config(
        folder / "hard.yaml",
        CNN,
        LINEAR,
        BOOSTED,
        foreign("threads", "Threads", "{num_cpus: 2}"),
        foreign("raises", "Raises"),
        foreign("dies", "KillsItsWorkerOnce", mark=mark),
        foreign("humble", "HighPass", "{num_gpus: 0.5}"),
        foreign("huge", "HighPass", "{num_cpus: 4096}"),
    )
    experiment = load_experiment(hard)
    store = OofStore(folder / "ray" / experiment.name)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as said:
        patch.setenv("RAY_ADDRESS", ray_address)
        complete = train(experiment, list(experiment.members), competition_folder, store, "ray")
    return inline, store, complete, said.getvalue()


@pytest.mark.parametrize("member", ["linear", "boosted"])
def test_equal_bytes(both: Both, member: str) -> None:
    inline, on_ray, _, _ = both
    for fold in range(3):
        files = [store.fold_folder(member, fold) / "predictions.parquet" for store in (inline, on_ray)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_the_cnn_agrees(both: Both) -> None:
    inline, on_ray, _, _ = both
    for fold in range(3):
        one, two = (stored_predictions(store, "cnn", fold) for store in (inline, on_ray))
        assert list(one.columns) == list(two.columns)
        np.testing.assert_allclose(one["pred"], two["pred"], atol=1e-5)


@pytest.mark.usefixtures("both")
def test_messages_of_ray_leave_the_built_in_print_alone() -> None:
    """Ray's own would be a library's, whose prints are kept from the screen."""
    tqdm_ray.instance()  # as for each message
    assert builtins.print.__module__ == "builtins"


def test_a_failing_fold_leaves_the_others(both: Both) -> None:
    _, store, complete, said = both
    assert not complete
    assert "raises/fold-1 FAILED: RuntimeError: this fold cannot be learned" in said
    assert [store.record("raises", fold) is not None for fold in range(3)] == [True, False, True]
    assert "RuntimeError" in store.log_file("raises", 1).read_text()


@pytest.mark.fault("a worker is killed in mid-fold")
def test_a_worker_that_dies_is_tried_again(both: Both) -> None:
    _, store, _, said = both
    assert "dies/fold-1: its worker died; it is tried again" in said
    assert [store.record("dies", fold) is not None for fold in range(3)] == [True] * 3


def test_threads_are_those_asked_for(both: Both) -> None:
    _, store, _, _ = both
    record = store.record("threads", 0)
    assert record is not None
    assert record.history == [{"torch": 2, "pools": 2, "omp": "2", "score": 0.5}]


def test_hardware_that_is_not_there(both: Both) -> None:
    _, store, _, said = both
    assert "huge cannot run: requests 4096 CPUs" in said
    assert "humble" in load_predictions(store).members
    assert "huge" in load_predictions(store).left_out


def test_progress_is_told_in_plain_lines(both: Both) -> None:
    said = both[3]
    assert "24 folds to train" in said
    assert "of 21 folds" in said
    ours = [line for line in said.splitlines() if "(raylet)" not in line]  # Ray speaks up when a worker dies
    assert not [line for line in ours if "\x1b" in line]


def test_each_node_makes_one_file_of_an_array_for_as_long_as_it_is_shared(
    ray_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", ray_address)
    expected = np.arange(600 * 4, dtype=np.float32).reshape(600, 4)
    array = ArrayFile.create(expected.shape, expected.dtype)
    array.write(0, expected)
    with RayEngine() as engine:
        assert engine.nodes()
        for how in ("unshared", "left"):
            engine.share("table", array)
            stored = engine._stored("table")
            assert isinstance(stored, BlocksOfArray)
            assert len(stored.references) == 3
            one, two = stored.read(), stored.read()
            np.testing.assert_array_equal(np.asarray(two), expected)
            assert one._path == two._path
            assert one._path.exists()
            if how == "unshared":
                engine.unshare("table")
                deadline = time.monotonic() + 30
                while one._path.exists():
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
    assert not one._path.exists()


@pytest.mark.process
@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", None], ids=["a web server", "nothing", "silence"]
)
def test_what_is_no_ray_is_found_out_at_once(answer: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_connection, "_REACHABLE_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                if answer is None:
                    time.sleep(3)
                else:
                    connection.recv(1000)
                    connection.sendall(answer)

        Thread(target=serve, daemon=True).start()
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(UserError, match="RAY_ADDRESS"):
            ray_connection.connect()
        assert time.monotonic() - started < 3


def test_a_cluster_that_is_not_there_is_a_sentence(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    experiment = load_experiment(write_config(tmp_path / "c.yaml", LINEAR))
    with pytest.raises(UserError, match="RAY_ADDRESS"):
        train(experiment, list(experiment.members), competition_folder, OofStore(tmp_path / "oof" / "small"), "ray")


@dataclass(frozen=True)
class Sees(Task):
    """A task that returns the GPUs that it sees."""

    called: str
    needs: Resources
    group = "sees"

    @property
    def title(self) -> str:
        return self.called

    @property
    def resources(self) -> Resources:
        return self.needs

    def run(self, inputs: list[Any], report: Report) -> str | None:
        return os.environ.get("CUDA_VISIBLE_DEVICES")


@pytest.mark.process
def test_who_requests_no_gpu_sees_none() -> None:
    """On a node that says it has one."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 1})
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_ADDRESS", cluster.address)
            with RayEngine() as engine:
                engine.submit(Sees("without", Resources()))
                engine.submit(Sees("with", Resources(num_gpus=1)))
                seen: dict[str, Any] = {}
                until = time.monotonic() + 90
                while len(seen) < 2 and time.monotonic() < until:
                    seen |= {outcome.task.title: outcome.value for outcome in engine.wait(ProgressBoard())}
    finally:
        cluster.shutdown()
    assert seen == {"without": "", "with": "0"}
