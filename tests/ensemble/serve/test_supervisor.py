"""The process that keeps the workers: when it gives up."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from ensemble.serve.supervisor import Supervisor


def test_workers_that_are_killed_before_one_could_start_end_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the system, where the models do not fit into memory: others would be started and killed for ever."""
    monkeypatch.delenv("ENSEMBLE_SERVE_READY", raising=False)
    supervisor = Supervisor.__new__(Supervisor)
    supervisor.should_exit = threading.Event()
    supervisor.processes = [SimpleNamespace(exitcode=-9, is_ready=lambda: False)]
    supervisor.keep_subprocess_alive()
    assert supervisor.should_exit.is_set()
    assert supervisor.has_failed
