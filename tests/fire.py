"""Runs of the real command that are shot at, and how their stores are compared with that of a quiet run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ensemble.store.oof import OofStore
from ensemble.store.record import PREDICTIONS
from tests import ROOT

DRIVER_KILLED = "the driver is killed at random moments"
PATIENCE = 240.0  # seconds; two busy cores and a Ray that imports PyTorch in every worker


class Run:
    """`ensemble train` in a process group of its own."""

    def __init__(
        self,
        config: Path,
        data: Path,
        oof: Path,
        engine: str = "ray",
        *options: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        command = [sys.executable, "-m", "ensemble.train", str(config), "--data", str(data), "--oof", str(oof)]
        environment = {**os.environ, **(env or {})}
        if "RAY_ADDRESS" not in environment:
            del environment["RAY_AUTH_MODE"], environment["RAY_AUTH_TOKEN"]  # a private Ray makes a token of its own
        self.process = subprocess.Popen(
            [*command, "--engine", engine, *options],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs behind a shell ignores Ctrl-C
        )

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the driver alone."""
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends it to every process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Wait for the end; the exit code, and all that was said."""
        said, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


def until(what: Callable[[], object], run: Run | None = None) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert run is None or run.process.poll() is None, run.end()[1] if run else ""
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def finished(store: OofStore) -> dict[str, bytes]:
    """The predictions of every fold that is whole, by member and fold."""
    folders = sorted(path.parent for path in store.root.glob(f"members/[!.]*/fold-*/{PREDICTIONS}"))
    return {f"{folder.parent.name}/{folder.name}": (folder / PREDICTIONS).read_bytes() for folder in folders}


def traces(mark: Path, fold: int) -> list[int]:
    """Processes that have begun a fold of a member that leaves its mark, the first first."""
    found = sorted(mark.glob(f"{fold}-*"), key=lambda path: path.name.split("-")[2])
    return [int(path.name.split("-")[1]) for path in found]


def alive(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
