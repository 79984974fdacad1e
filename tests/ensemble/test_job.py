"""`ray job submit` on a head node of our own, with the commands of the README."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from tests import ROOT
from tests.competitions import BOOSTED, LINEAR, write_config

RAY = Path(sys.executable).with_name("ray")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A head node that ends with the test; `ray stop` would end every other Ray of the user too."""
    port, dashboard, client, agent = free_ports(4)
    environment = {
        **{key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"},
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "PATH": f"{RAY.parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [RAY, "start", "--head", "--block", f"--port={port}", "--node-ip-address=127.0.0.1", "--num-cpus=2"]
    command += [f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}", "--disable-usage-stats"]
    command += [f"--dashboard-agent-listen-port={agent}"]  # its own is taken where another Ray runs: no job would start
    command += [f"--temp-dir={tmp_path_factory.mktemp('r')}"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, text=True
    )
    try:
        wait_for(dashboard, process)
        yield f"http://127.0.0.1:{dashboard}", environment
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.3)
    raise AssertionError("the head node did not come up")


def submit(command: list[object], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Submit a job; a head that has only just started says that it has no agent yet, and asks to try again."""
    deadline = time.monotonic() + 180
    while True:
        result = subprocess.run(
            list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        if "No available agent to submit job" not in result.stderr or time.monotonic() > deadline:
            return result
        time.sleep(2)


def test_a_job_trains_all_members(head: tuple[str, dict[str, str]], competition_folder: Path, tmp_path: Path) -> None:
    address, environment = head
    config = write_config(tmp_path / "job.yaml", LINEAR, BOOSTED, name="job")
    command: list[object] = [RAY, "job", "submit", "--address", address, "--working-dir", ".", "--"]
    command += ["python", "-m", "ensemble.train", config, "--data", competition_folder, "--oof", tmp_path / "oof"]
    result = submit(command, environment)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "succeeded" in output
    assert "linear/fold-" in output, "progress is visible in the job's log"
    store = OofStore(tmp_path / "oof" / "job")
    assert load_predictions(store).members == ["linear", "boosted"]


def test_what_a_job_uploads_is_small() -> None:
    """Ray obeys `.gitignore`: the environment, the data and the stores stay out of `--working-dir .`."""
    rules = (ROOT / ".gitignore").read_text().splitlines()
    assert {".venv/", "data/", "oof/*"} <= set(rules)
    assert not (ROOT / ".rayignore").exists()
