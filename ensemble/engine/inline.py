"""The engine without workers: one task after the other, in this process. For tests, small machines and debuggers."""

from __future__ import annotations

import math
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from ensemble.config import Recipe
from ensemble.durations import spoken
from ensemble.engine.base import Engine, FoldFailure, Node, Workload
from ensemble.engine.task import FoldTask, run_features, run_fold
from ensemble.oof import FoldResult
from ensemble.progress import Board


class InlineEngine(Engine):
    """Runs everything in the calling process."""

    def features(
        self, recipe: Recipe, photographs: NDArray[np.uint8], chunks: Sequence[slice]
    ) -> Iterator[tuple[int, NDArray[np.float32], float]]:
        """Yield (index of the chunk, its features, seconds), in order."""
        for index, chunk in enumerate(chunks):
            yield index, *run_features(recipe, photographs[chunk])

    def folds(self, work: Workload, board: Board) -> Iterator[FoldResult | FoldFailure]:
        """Yield each fold as it is finished, in the order of the tasks."""
        for task in work.tasks:
            board.started(task.title)
            yield self._run(task, work, board)

    def _run(self, task: FoldTask, work: Workload, board: Board) -> FoldResult | FoldFailure:
        table = work.tables[work.table_of[task.member.name]]
        try:
            with time_limit(work.timeout):
                return run_fold(task, table, work.labels, lambda done, text: board.advanced(task.title, done, text))
        except TimeLimit:
            return overdue(task, work.timeout)
        except (Exception, SystemExit) as error:  # a member of any package may do anything; its siblings go on
            return failure(task, error)

    def nodes(self) -> list[Node]:
        """The machine that the process runs on."""
        return [Node(float(os.cpu_count() or 1), float(_gpus()))]

    def slots(self) -> float:
        """One task at a time."""
        return 1.0


def failure(task: FoldTask, error: BaseException) -> FoldFailure:
    """What is told of an exception in a task."""
    cause = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return FoldFailure(task.member.name, task.fold, cause, "".join(traceback.format_exception(error)))


def overdue(task: FoldTask, seconds: float) -> FoldFailure:
    """What is told of a fold that was ended because it ran too long."""
    cause = f"it ran longer than --timeout allows ({spoken(seconds)}) and was ended"
    return FoldFailure(task.member.name, task.fold, cause, cause + "\n")


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
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  as signals call it
    raise TimeLimit


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
