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
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from ensemble.config.members import Resources
from ensemble.store.oof import OofStore
from tests import ROOT
from tests.competitions import LINEAR, write_config

pytestmark = [pytest.mark.process, pytest.mark.ray, pytest.mark.slow]

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

    def start_head(self, *options: str, cpus: int = 0) -> None:
        """One that only holds the driver, unless it gets CPUs for tasks."""
        own = [f"--port={self.port}", "--include-dashboard=false", "--disable-usage-stats", f"--num-cpus={cpus}"]
        command = [str(RAY), "start", "--head", "--block", *own, f"--temp-dir={self.folder / 'r'}", *options]
        self._start("head", command)
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
        own = [
            f"--node-ip-address={self.host(name)}",
            "--dashboard-agent-listen-port=0",
            "--object-store-memory=200000000",
        ]
        self.started[name] = subprocess.Popen(
            [*command, *own],
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
def run(competition_folder: Path) -> Iterator[Run]:
    """A head without CPUs, a node with a GPU (as Ray counts), one with CPUs, and one more when all of its kind work.

    Folds of `wide`, which fit on the nodes with three CPUs only, end when two of them have begun: a single such node
    would wait for ever.
    """
    folder = Path(tempfile.mkdtemp(prefix="r"))  # a short path: Ray's sockets lie below it
    driver, traces, go_on = folder / "driver", folder / "traces", folder / "go_on"
    traces.mkdir()
    shutil.copytree(competition_folder, driver / "data")
    if not can_hide(driver):
        shutil.rmtree(folder)
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
        training, log = start_training(machines, config, driver)
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
        shutil.rmtree(folder, ignore_errors=True)


def start_training(machines: Machines, config: Path, driver: Path) -> tuple[subprocess.Popen[str], Path]:
    """`ensemble train` on the machines, and the file that takes what it says."""
    log = driver / "train.txt"
    options = ["--data", driver / "data", "--oof", driver / "oof"]
    training = subprocess.Popen(
        list(map(str, [sys.executable, "-m", "ensemble.train", config, *options])),
        cwd=ROOT,
        env={**machines.environment, "RAY_ADDRESS": machines.address},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        text=True,
    )
    return training, log


def nodes_of(machines: Machines) -> dict[str, str]:
    """Ray's name of each node, and ours."""
    names = {machines.host(name): name for name in machines.started}
    return {node["NodeID"]: names[node["NodeManagerAddress"]] for node in ray_nodes(machines)}


def ray_nodes(machines: Machines) -> list[dict[str, Any]]:
    """What Ray tells of its nodes, asked in a process of its own: this one may have another Ray's token."""
    output = subprocess.run(
        [sys.executable, "-c", "import ray; ray.init(); print(ray.nodes())"],
        env={**machines.environment, "RAY_ADDRESS": machines.address},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=True,
    ).stdout
    return list(ast.literal_eval(output.splitlines()[-1]))


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


KNOWN_WITHOUT_GPU = get_args(Resources.model_fields["without_gpu"].annotation)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a short path: Ray's sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.skipif("wait" not in KNOWN_WITHOUT_GPU, reason="no member can wait for a GPU")
def test_the_kinds_of_nodes_of_the_launcher_come_when_members_ask(competition_folder: Path, short_path: Path) -> None:
    """Ray's autoscaler with the launcher's kinds of nodes, of which only the head is there when the run begins."""
    shutil.copytree(competition_folder, short_path / "data")
    waits = member("cnn", "{num_gpus: 0.5, without_gpu: wait}", looks_for=short_path / "nothing")
    config = write_config(short_path / "config.yaml", LINEAR, waits)
    machines = Machines(short_path, short_path)
    machines.environment |= {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    machines.environment |= {"RAY_prestart_worker_first_driver": "0"}  # a node would start 16 for its 16 CPUs
    launcher, config_of_nodes = short_path / "launcher.yaml", pretended(machines.address)
    launcher.write_text(yaml.safe_dump(config_of_nodes))
    head = config_of_nodes["available_node_types"][config_of_nodes["head_node_type"]]
    try:
        machines.start_head(f"--autoscaling-config={launcher}", cpus=head["resources"]["CPU"])
        training, log = start_training(machines, config, short_path)
        try:
            assert training.wait(2 * LONG) == 0, log.read_text()
        finally:
            training.kill()
        with_gpu = {node["NodeID"] for node in ray_nodes(machines) if "GPU" in node["Resources"]}
        store = OofStore(short_path / "oof" / "small")
        records = [store.record("cnn", fold) for fold in range(3)]
        assert {record.history[0]["node"] for record in records if record} <= with_gpu
        assert all(records)
        assert all(store.record("linear", fold) for fold in range(3))
    finally:
        machines.end()


def pretended(address: str) -> dict[str, Any]:
    """The launcher's file, but that nodes are processes of this machine."""
    from ray.autoscaler._private.util import prepare_config

    config = dict(prepare_config(yaml.safe_load((ROOT / "configs" / "cluster" / "launcher.yaml").read_text())))
    config["provider"] = {"type": "fake_multinode", "gcs_address": address, "use_node_id_as_ip": True}
    config["provider"] |= {
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    }  # there is nothing to set up
    config |= {key: [] for key in config if key.endswith("_commands")}
    config |= {"file_mounts": {}, "cluster_synced_files": []}
    kinds = config["available_node_types"]
    config["head_node_type"] = "ray.head.default"  # the name that pretended heads have
    kinds["ray.head.default"] = kinds.pop("head")
    return config
