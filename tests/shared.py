"""What the processes of one test session share: a folder, what was built in it, and one Ray.

Under pytest-xdist each worker is a process of its own; the controller begins and ends the session.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests import ROOT

_FOLDER = "TESTS_SHARED_FOLDER"
_RAY = Path(sys.executable).with_name("ray")


def begin_session() -> None:
    """Make the folder, and the token that every Ray of the session asks for; workers inherit both."""
    os.environ[_FOLDER] = tempfile.mkdtemp(prefix="tests-")
    os.environ.pop("RAY_ADDRESS", None)  # no test runs on a cluster that it does not name
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def end_session() -> None:
    """End the session's Ray, if one was started, and remove the folder."""
    started = _folder() / "ray.json"
    if started.exists():
        end_group(json.loads(started.read_text())["pid"])
    shutil.rmtree(_folder(), ignore_errors=True)


def _folder() -> Path:
    return Path(os.environ[_FOLDER])


def built_once(name: str, build: Callable[[Path], object]) -> Path:
    """Return a folder that the first process to ask for it has filled."""
    folder = _folder() / name
    built = folder.with_suffix(".built")
    with FileLock(folder.with_suffix(".lock")):
        if not built.exists():
            shutil.rmtree(folder, ignore_errors=True)  # a build that failed in another process
            folder.mkdir()
            build(folder)
            built.touch()
    return folder


def session_ray() -> str:
    """Start the session's Ray, if no process has yet; return its address."""
    started = _folder() / "ray.json"
    with FileLock(started.with_suffix(".lock")):
        if not started.exists():
            started.write_text(json.dumps(start_head(_folder() / "r")))  # a short name: Ray's sockets lie below it
        return str(json.loads(started.read_text())["address"])


def start_head(folder: Path, dashboard: bool = False, cpus: int = 2) -> dict[str, Any]:
    """Start a head node of so many CPUs, for each of which it starts a worker for each driver; return how to reach it.

    `pid` leads the group of its processes. The dashboard, which jobs are submitted to, takes a sixth of a core.
    """
    port, dashboard_port, client, agent = _free_ports(4)
    command = [
        _RAY,
        "start",
        "--head",
        "--block",
        f"--port={port}",
        "--node-ip-address=127.0.0.1",
        f"--num-cpus={cpus}",
    ]
    command += [f"--include-dashboard={str(dashboard).lower()}", f"--dashboard-port={dashboard_port}"]
    command += [f"--ray-client-server-port={client}", "--disable-usage-stats"]
    command += [f"--dashboard-agent-listen-port={agent}"]  # its own is taken where another Ray runs: no job would start
    command += [f"--temp-dir={folder}", f"--object-store-memory={200 * 2**20}"]
    path = f"{_RAY.parent}{os.pathsep}{os.environ['PATH']}"
    with folder.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env={**os.environ, "PATH": path},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        for needed in [port, dashboard_port] if dashboard else [port]:
            _wait_for(needed, process, folder.with_suffix(".log"))
    except BaseException:
        end_group(process.pid)
        raise
    return {"pid": process.pid, "address": f"127.0.0.1:{port}", "dashboard": f"http://127.0.0.1:{dashboard_port}"}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        time.sleep(0.2)
    raise AssertionError(f"the head node did not come up: {log.read_text()}")


def end_group(process: int) -> None:
    """End a process that leads a group of its own, politely first. (`ray stop` would end every Ray of the user.)"""
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            time.sleep(0.2)
            with suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
            os.killpg(process, 0)
        os.killpg(process, signal.SIGKILL)
