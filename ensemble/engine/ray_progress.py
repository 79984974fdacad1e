"""Progress of tasks on other nodes: workers post it to an actor beside the driver, which collects it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

_EVERY_SECONDS = 0.3


@dataclass(frozen=True)
class TaskProgress:
    """Last report of an attempt: on which node it runs, and how far it is."""

    attempt: str
    node: str
    fraction: float
    text: str


class _Collector:
    def __init__(self) -> None:
        self.reports: dict[str, TaskProgress] = {}

    def post(self, report: TaskProgress) -> None:
        self.reports[report.attempt] = report

    def collect(self) -> list[TaskProgress]:
        reports, self.reports = list(self.reports.values()), {}
        return reports


class ProgressReports:
    """The driver's end. Nothing here waits: no fold fails for a progress bar, and none is held up by one."""

    def __init__(self) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self.actor: Any = ray.remote(_Collector).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
        self._pending: Any = None
        self._asked = 0.0

    def reference(self) -> list[Any]:
        """Return what to wait for besides tasks, when it is time for new reports."""
        if self._pending is None and time.monotonic() - self._asked > _EVERY_SECONDS:
            self._pending, self._asked = self.actor.collect.remote(), time.monotonic()
        return [] if self._pending is None else [self._pending]

    def collect(self) -> list[TaskProgress]:
        """Return the reports since the last call."""
        if self._pending is None or not ray.wait([self._pending], timeout=0)[0]:
            return []
        pending, self._pending = self._pending, None
        try:
            found: list[TaskProgress] = ray.get(pending)
        except RayError:  # its process died; Ray starts another
            return []
        return found
