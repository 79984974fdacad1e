"""Several Ray nodes on this machine, each with an address of its own, that see nothing of the driver's disk."""

from __future__ import annotations

import ast
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ensemble.oof import OofStore
from tests.competitions import LINEAR, write_config

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).with_name("ray")
LONG = 240  # seconds; what takes some ten of them on an idle machine
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def eventually(what: str, happened: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + LONG
    while not happened():
        assert process is None or process.poll() is None, f"before {what} it ended"
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.1)


def can_hide(folder: Path) -> bool:
    """Whether this machine lets a process have mounts of its own."""
    command = [*UNSHARE, "mount", "-t", "tmpfs", "none", folder]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@dataclass
class Machines:
    """Ray nodes. Loopback has many addresses, so that each is a machine of its own to Ray, and none is seen outside."""

    folder: Path
    hidden: Path
    port: int = 0
    started: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = {**own, **token, "RAY_USAGE_STATS_ENABLED": "0"}
        with socket.socket() as free:
            free.bind((self.host("head"), 0))
            self.port = free.getsockname()[1]

    @property
    def address(self) -> str:
        return f"{self.host('head')}:{self.port}"

    def host(self, name: str) -> str:
        """Not 127.0.0.1, in whose place Ray takes the machine's outer address."""
        return f"127.0.0.{2 + ['head', 'gpu', 'cpu', 'late'].index(name)}"

    def start_head(self) -> None:
        """One without CPUs, which only holds the driver."""
        options = [f"--port={self.port}", "--include-dashboard=false", "--disable-usage-stats", "--num-cpus=0"]
        self._start("head", [str(RAY), "start", "--head", "--block", *options, f"--temp-dir={self.folder / 'r'}"])
        eventually("the head", self._answers, self.started["head"])

    def start(self, name: str, *options: str) -> None:
        """A node for which, and for whose workers, `hidden` is an empty folder."""
        command = [str(RAY), "start", "--block", f"--address={self.address}", *options]
        self._start(name, [*UNSHARE, "sh", "-c", f'mount -t tmpfs none {self.hidden} && exec "$@"', "sh", *command])
        # Nodes of one machine share a folder, and two that start at once would choose the same names there.
        log = self.folder / name / "log.txt"
        eventually(f"the start of {name}", lambda: "Ray runtime started" in log.read_text(), self.started[name])

    def _answers(self) -> bool:
        with socket.socket() as attempt:
            return attempt.connect_ex((self.host("head"), self.port)) == 0

    def _start(self, name: str, command: list[str]) -> None:
        home = self.folder / name
        home.mkdir()
        self.started[name] = subprocess.Popen(
            [*command, f"--node-ip-address={self.host(name)}", "--object-store-memory=200000000"],
            cwd=home,
            env={**self.environment, "HOME": str(home)},
            stdout=(home / "log.txt").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def end(self) -> None:
        """By their process groups: `ray stop` would end every other Ray of the user too."""
        for process in self.started.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass
class Run:
    """What a run on the machines left: its store, and the Ray node of each machine."""

    store: OofStore
    drivers_folder: Path
    machines: Machines
    node_of: dict[str, str]

    def notes(self, member: str) -> list[dict[str, object]]:
        """What the folds of a member have noted of their places."""
        records = [self.store.record(member, fold) for fold in range(3)]
        assert all(records), f"{member} is not complete"
        return [record.history[0] for record in records if record]

    def places(self, member: str) -> list[str]:
        """The machines on which the folds of a member worked."""
        return [self.node_of[str(note["node"])] for note in self.notes(member)]


def member(name: str, resources: str, **parameters: object) -> str:
    text = ", ".join(f"{key}: {value}" for key, value in parameters.items())
    model = f"{{use: tests.placed.NotesItsNode, {text}}}"
    return f"\n  - name: {name}\n    model: {model}\n    resources: {resources}\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, competition_folder: Path) -> Iterator[Run]:
    """A head without CPUs, a node with a GPU (as Ray counts), one with CPUs, and one more when all of its kind work.

    Folds of `wide`, which fit on the nodes with three CPUs only, end when two of them have begun: a single such node
    would wait for ever.
    """
    folder = tmp_path_factory.mktemp("cluster")
    driver, traces, go_on = folder / "driver", folder / "traces", folder / "go_on"
    traces.mkdir()
    shutil.copytree(competition_folder, driver / "data")
    if not can_hide(driver):
        pytest.skip("processes may not have mounts of their own here")
    looks = {"looks_for": driver}
    config = write_config(
        driver / "config.yaml",
        LINEAR,
        member("cnn", "{num_gpus: 0.5, without_gpu: fail}", **looks),
        member("wide", "{num_cpus: 3}", mark=traces, waits_for=go_on, **looks),
    )
    machines = Machines(folder, driver)
    try:
        machines.start_head()
        machines.start("gpu", "--num-cpus=2", "--num-gpus=1")
        machines.start("cpu", "--num-cpus=3")
        log = driver / "train.txt"
        command = [sys.executable, "-m", "ensemble.train", config, "--data", driver / "data", "--oof", driver / "oof"]
        training = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env={**machines.environment, "RAY_ADDRESS": machines.address},
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            eventually("the first wide fold", lambda: len(list(traces.iterdir())) == 1, training)
            machines.start("late", "--num-cpus=3")
            eventually("the second wide fold", lambda: len(list(traces.iterdir())) == 2, training)
            go_on.mkdir()
            assert training.wait(LONG) == 0, log.read_text()
        finally:
            training.kill()
        yield Run(OofStore(driver / "oof" / "small"), driver, machines, nodes_of(machines))
    finally:
        machines.end()


def nodes_of(machines: Machines) -> dict[str, str]:
    """Ray's name of each node, and ours."""
    script = "import ray; ray.init(); print([(node['NodeID'], node['NodeManagerAddress']) for node in ray.nodes()])"
    output = subprocess.run(
        [sys.executable, "-c", script],
        env={**machines.environment, "RAY_ADDRESS": machines.address},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=True,
    ).stdout
    names = {machines.host(name): name for name in machines.started}
    return {node: names[host] for node, host in ast.literal_eval(output.splitlines()[-1])}


def test_folds_go_where_their_resources_are(run: Run) -> None:
    assert set(run.places("cnn")) == {"gpu"}
    assert set(run.places("wide")) <= {"cpu", "late"}


def test_a_node_that_joins_a_run_gets_work(run: Run) -> None:
    assert set(run.places("wide")) == {"cpu", "late"}


def test_workers_read_nothing_from_the_drivers_disk(run: Run) -> None:
    assert (run.drivers_folder / "data" / "train.csv").exists(), "the driver saw it"
    for note in [*run.notes("cnn"), *run.notes("wide")]:
        place = run.machines.folder / run.node_of[str(note["node"])]
        assert (note["found"], note["folder"], note["home"]) == ([], str(place), str(place))


def test_the_bytes_are_those_of_one_process(run: Run, trained: OofStore) -> None:
    """Features and folds alike: they were computed on whatever node was free."""
    for fold in range(3):
        files = [store.fold_folder("linear", fold) / "predictions.parquet" for store in (run.store, trained)]
        assert files[0].read_bytes() == files[1].read_bytes()
