"""The engine without workers: one task after the other, in this process. For tests, small machines and debuggers."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine, Finished
from ensemble.engine.resources import CPU, GPU, MEMORY, Amounts, requested
from ensemble.engine.span import Job
from ensemble.engine.tasks.base import FOLDS, LABELS, FoldTask, Task
from ensemble.engine.tasks.failures import Failure, ended, failure, overdue, timeout_of
from ensemble.engine.tasks.fold import Outcome, run_task

_AT_ONCE, _YEARS = 1e-3, 1e8  # seconds


class InlineEngine(Engine):
    """Runs everything in the calling process, while it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._next: Task | None = None

    def nodes(self) -> Sequence[Amounts]:
        """The machine that the process runs on. Nobody counts its memory."""
        return [{CPU: float(os.cpu_count() or 1), GPU: float(_gpus()), MEMORY: math.inf}]

    def slots(self) -> float:
        """One task at a time."""
        return 1.0

    def span(self, jobs: Sequence[Job]) -> float:
        """One after the other."""
        return sum(seconds for seconds, _ in jobs)

    def free(self) -> Amounts:
        """Everything, or nothing."""
        return {} if self.busy else self.nodes()[0]

    def in_use(self) -> Amounts:
        """What the task wants that runs."""
        return {} if self._next is None else requested(self._next.resources)

    def submit(self, task: Task) -> None:
        """Take the task that is run next."""
        self._next = task

    def wait(self, board: ProgressBoard) -> list[Finished]:
        """Run the task that was submitted."""
        if self._next is None:
            return []
        task, started = self._next, time.time()
        board.started(task.title)
        try:
            value = self._run(task, board)
        finally:
            self._next = None
        return [Finished(task, value, f"inline/{os.getpid()}", started, time.time())]

    def cancel(self, group: str) -> None:
        """Forget the task that was to be run next."""
        if self._next is not None and self._next.group == group:
            self._next = None

    @property
    def busy(self) -> bool:
        """Whether a task is to be run."""
        return self._next is not None

    def _run(self, task: Task, board: ProgressBoard) -> Outcome | Failure:
        here = Path.cwd()
        try:
            with time_limit(min(timeout_of(task), self.deadline - time.monotonic())):
                return run_task(task, self._arrays(task), lambda done, text: board.advanced(task.title, done, text))
        except TimeLimit:
            return ended() if self.time_is_up else overdue(task)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a member of any package may do anything; its siblings go on
            return failure(error)
        finally:
            os.chdir(here)

    def _arrays(self, task: Task) -> list[Any]:
        if isinstance(task, FoldTask):
            return [self.shared[key] for key in (task.table, LABELS, FOLDS)]
        return self.read(task)


class TimeLimit(BaseException):
    """The time of a fold is up. No Exception, lest a member that catches those should go on."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimit` in the block after so many seconds.

    Python runs no signal handler inside a library's own code: a member that hangs there is ended by workers only.
    """
    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise)
    signal.setitimer(signal.ITIMER_REAL, min(max(seconds, _AT_ONCE), _YEARS))  # zero would switch it off
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  as signals call it
    raise TimeLimit


@cache
def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
