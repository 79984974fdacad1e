"""The process that keeps the workers: when it gives up."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from ensemble.serve.supervisor import Supervisor

KILLED = SimpleNamespace(exitcode=-9, is_ready=lambda: False, is_alive=lambda timeout: True)
RUNNING = SimpleNamespace(exitcode=None, is_ready=lambda: True, is_alive=lambda timeout: True)


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """One whose workers have not started yet."""
    monkeypatch.setenv("ENSEMBLE_SERVE_READY", "1")  # so that what a test sets is undone
    monkeypatch.delenv("ENSEMBLE_SERVE_READY")
    found = Supervisor.__new__(Supervisor)
    found.should_exit = threading.Event()
    found.config = SimpleNamespace(timeout_worker_healthcheck=5)
    return found


def test_workers_that_are_killed_before_one_could_start_end_the_server(supervisor: Supervisor) -> None:
    """By the system, where the models do not fit into memory: others would be started and killed for ever."""
    supervisor.processes = [KILLED]
    supervisor.keep_subprocess_alive()
    assert not supervisor.should_exit.is_set(), "it may have answered before it was killed"
    supervisor.keep_subprocess_alive()
    assert supervisor.should_exit.is_set()
    assert supervisor.has_failed


def test_one_that_is_killed_before_it_was_seen_to_run_is_started_again(supervisor: Supervisor) -> None:
    supervisor.processes = [KILLED]
    supervisor.keep_subprocess_alive()
    supervisor.processes = [RUNNING]
    supervisor.keep_subprocess_alive()
    supervisor.processes = [KILLED]
    supervisor.keep_subprocess_alive()
    assert not supervisor.should_exit.is_set()
    assert not supervisor.has_failed
