"""The engine without workers: one task after the other, in this process. For tests, small machines and debuggers."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from ensemble.config.members import Resources
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine
from ensemble.engine.resources import CPU, GPU, MEMORY, Amounts, Job, requested
from ensemble.engine.tasks.base import Outcome, Task
from ensemble.engine.tasks.failures import cancelled, failure

_GPU_DRIVERS = ("nvidia*", "dxg", "kfd")  # NVIDIA's, that of Windows' Linux, AMD's
_AT_ONCE, _YEARS, _AGAIN = 1e-3, 1e8, 30.0  # seconds; again, where a member has passed over the first one


class InlineEngine(Engine):
    """Engine that runs everything in the calling process, in `wait`."""

    name = "inline"
    has_workers = False

    def __init__(self) -> None:
        super().__init__()
        self._next: Task | None = None

    def nodes(self) -> Sequence[Amounts]:
        """Return this machine. Its memory is not counted."""
        return [{CPU: float(os.cpu_count() or 1), GPU: float(_gpus()), MEMORY: math.inf}]

    def slots(self) -> float:
        """Return one: tasks run one at a time."""
        return 1.0

    def slots_of(self, resources: Resources) -> float:  # noqa: ARG002  whatever it requests
        """Return one."""
        return 1.0

    def span(self, jobs: Sequence[Job]) -> float:
        """Return the sum of all seconds."""
        return sum(seconds for seconds, _ in jobs)

    def free(self) -> Amounts:
        """Return everything, or nothing while a task waits to be run."""
        return {} if self.busy else self.nodes()[0]

    def in_use(self) -> Amounts:
        """Return what the submitted task occupies."""
        return {} if self._next is None else requested(self._next.resources)

    def submit(self, task: Task) -> None:
        """Take the task that is run next."""
        self._next = task

    def wait(self, board: ProgressBoard) -> list[Outcome]:
        """Run the task that was submitted."""
        if self._next is None:
            return []
        task, started = self._next, time.time()
        board.started(task.title)
        try:
            value = self._run(task, board)
        finally:
            self._next = None
        return [Outcome(task, value, f"inline/{os.getpid()}", started, time.time())]

    def cancel(self, group: str) -> None:
        """Drop the task that was to be run next."""
        if self._next is not None and self._next.group == group:
            self._next = None

    @property
    def busy(self) -> bool:
        """Whether a task is to be run."""
        return self._next is not None

    def _run(self, task: Task, board: ProgressBoard) -> Any:
        folder = Path.cwd()
        children = set(multiprocessing.active_children())
        try:
            task.prepare()
            inputs = [*(self.shared[key] for key in task.reads), *task.pick(self.shared)]
            with time_limit(min(task.timeout, self.deadline - time.monotonic())):
                return task.run(inputs, lambda done, text: board.advanced(task.title, done, text))
        except TimeLimit:
            return cancelled() if self.time_is_up else task.timed_out()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a member of any package may do anything; its siblings go on
            return failure(error)
        finally:
            for child in set(multiprocessing.active_children()) - children:  # Python would wait for them at its end
                child.kill()
            os.chdir(folder)


class TimeLimit(BaseException):
    """The time of a task is up. It is no Exception, so that a member that catches those is ended too."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimit` in the block after so many seconds.

    Python runs no signal handler inside a library's own code: a member that hangs there is ended on Ray only.
    """
    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise)
    signal.setitimer(signal.ITIMER_REAL, min(max(seconds, _AT_ONCE), _YEARS), _AGAIN)  # zero would switch it off
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  as signals call it
    raise TimeLimit


@cache
def _gpus() -> int:
    if sys.platform == "linux" and not any(list(Path("/dev").glob(driver)) for driver in _GPU_DRIVERS):
        return 0  # nothing to count, and importing torch takes seconds

    import torch

    return torch.cuda.device_count()
