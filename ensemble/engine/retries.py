"""Another attempt at a task whose worker died or whose node was lost; an exception of a member is never tried again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from ensemble.engine.resources import CPU, Amounts, missing_resources, requested
from ensemble.engine.tasks.base import Task

DEATHS = 2  # attempts after deaths of the worker, each time on another node if there is one
LOSSES = 10  # attempts after losses of whole nodes: spot nodes are taken away at any time, which is nobody's fault


@dataclass
class Attempt:
    """One attempt at a task.

    Attributes
    ----------
    deaths, losses : int
        How often its worker died, and how often a whole node was lost with it.
    avoid : frozenset of str
        Nodes on which its worker died.
    alone : bool
        Whether it gets a node for itself: its worker was killed for the memory that it took.
    node : str
        Where it runs, as soon as it has reported.
    occupies : amounts
        What it was promised when it was submitted.
    """

    task: Task
    deaths: int = 0
    losses: int = 0
    avoid: frozenset[str] = frozenset()
    alone: bool = False
    node: str = ""
    running_since: float | None = None  # time.monotonic
    started: float = field(default_factory=time.time)
    occupies: Amounts = field(default_factory=dict)
    number: int = field(default_factory=itertools.count().__next__)

    @property
    def name(self) -> str:
        """Name that distinguishes it from other attempts at the same task."""
        return f"{self.task.title}#{self.number}"

    def report_start(self, node: str) -> None:
        """Take note that the task runs."""
        if self.running_since is None:
            self.running_since, self.started, self.node = time.monotonic(), time.time(), node

    @property
    def worker(self) -> str:
        """Node on which it ran, as far as it has reported; its process is unknown then."""
        return worker_name(self.node) if self.node else ""

    @property
    def overdue(self) -> bool:
        """Whether it has run longer than its timeout; one that waits for a worker has not started."""
        return self.running_since is not None and time.monotonic() - self.running_since > self.task.timeout

    def amounts_on(self, nodes: Collection[Amounts]) -> dict[str, float]:
        """Return what it occupies; alone on a node, all CPUs of the largest that it fits on."""
        request = requested(self.task.resources)
        largest = max((node.get(CPU, 0.0) for node in nodes if not missing_resources(request, node)), default=0.0)
        return {**request, CPU: max(request[CPU], largest)} if self.alone else request

    def again(self, node_lives: bool, out_of_memory: bool) -> Attempt | None:
        """Return the next attempt; None when there were enough."""
        if not node_lives:
            enough = self.losses >= LOSSES
            return None if enough else Attempt(self.task, self.deaths, self.losses + 1, self.avoid, self.alone)
        if self.deaths >= DEATHS:
            return None
        avoid = self.avoid | {self.node} if self.node else self.avoid
        return Attempt(self.task, self.deaths + 1, self.losses, avoid, self.alone or out_of_memory)


def worker_name(node: str, process: int | str = "?") -> str:
    """Return the name of a worker in the run log."""
    return f"{node[:12]}/{process}"
