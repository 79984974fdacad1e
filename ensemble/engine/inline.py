"""The engine without workers: one task after the other, in this process. For tests, small machines and debuggers."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.config import Recipe
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
            return run_fold(task, table, work.labels, lambda done, text: board.advanced(task.title, done, text))
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


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
