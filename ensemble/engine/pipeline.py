"""The loop of the driver: the most urgent tasks go to the engine, and each outcome to the submitter of the task."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine
from ensemble.engine.resources import format_resources, requested
from ensemble.engine.task_queue import TaskQueue
from ensemble.engine.tasks.base import Outcome, Task

Receive = Callable[[Outcome], None]

_IDLE, _REMIND = 60.0, 600.0  # seconds in which nothing runs before a message says so, and says so again


class Pipeline:
    """Tasks of any kind on one engine.

    Parameters
    ----------
    seconds : callable
        Length of a task with all that waits for it, as `TaskQueue` takes it; default: all are equal.

    Attributes
    ----------
    history : list of dict
        Summaries of the outcomes, in their order.
    """

    def __init__(self, engine: Engine, board: ProgressBoard, seconds: Callable[[Task], float] = lambda _: 0.0) -> None:
        self.engine, self.board = engine, board
        self.queue = TaskQueue(seconds)
        self.history: list[dict[str, Any]] = []
        self._receivers: dict[str, Receive] = {}

    def submit(self, tasks: Iterable[Task], receive: Receive) -> None:
        """Queue tasks; `receive` is called with the outcome of each, and may submit and cancel others."""
        tasks = list(tasks)
        self._receivers |= dict.fromkeys((task.title for task in tasks), receive)
        self.queue.add(tasks)

    def cancel(self, group: str) -> None:
        """End the tasks of a group, waiting or running; no outcome of them is received."""
        self.queue.drop(group)
        self.engine.cancel(group)

    def run(self, refill: Callable[[], None] = lambda: None) -> None:
        """Run what is queued, and what is submitted meanwhile; when the engine's time is up, queued tasks stay queued.

        `refill` is called whenever fewer tasks wait than the engine has slots.
        """
        idle = _Idle(self)
        while True:
            if len(self.queue) < self.engine.slots():
                refill()
            if not self.engine.busy and (not len(self.queue) or self.engine.time_is_up):
                return
            self._start()
            idle.check()
            self.board.usage, self.board.slots = self.engine.usage(), self.engine.slots()
            for outcome in self.engine.wait(self.board):
                if self.queue.finish(outcome.task):
                    self.history.append(outcome.summary())
                    self._receivers.pop(outcome.task.title)(outcome)

    def _start(self) -> None:
        engine = self.engine
        while not engine.time_is_up and (task := self.queue.take(engine.free(), engine.placement)) is not None:
            engine.submit(task)


class _Idle:
    """Log of waiting: nothing has run for a while because no node has what the next task requests."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline, self.since, self.limit = pipeline, time.monotonic(), _IDLE

    def check(self) -> None:
        if self.pipeline.engine.in_use():
            self.since, self.limit = time.monotonic(), _IDLE
        elif time.monotonic() - self.since > self.limit and (task := self.pipeline.queue.first()):
            amounts = format_resources(requested(task.resources))
            self.pipeline.board.log(f"  nothing runs: {task.title} waits for a node with {amounts}, and none is free")
            self.limit += _REMIND
