"""Trying again what a dead worker or a lost machine has cut short; a member's own exception is never tried again."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from ensemble.engine.resources import CPU, Amounts, missing_resources, requested
from ensemble.engine.tasks.base import Task
from ensemble.engine.tasks.failures import timeout_of

DEATHS = 2  # of its worker that a task is forgiven, each time on another machine if there is one
LOSSES = 10  # of whole machines: on those that can be taken back at any time that is nobody's fault


@dataclass
class Attempt:
    """One try at a task.

    Attributes
    ----------
    deaths, losses : int
        How often its worker died, and how often a whole machine was lost with it.
    avoid : frozenset of str
        Nodes on which its worker died.
    alone : bool
        Whether it gets a machine for itself: its worker was killed for the memory that it took.
    node : str
        Where it runs, as soon as it has told.
    occupies : amounts
        What it was promised when it was submitted.
    """

    task: Task
    deaths: int = 0
    losses: int = 0
    avoid: frozenset[str] = frozenset()
    alone: bool = False
    node: str = ""
    began: float | None = None  # time.monotonic
    since: float = field(default_factory=time.time)
    occupies: Amounts = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Distinguishes it from other tries at the same task."""
        return f"{self.task.title}#{self.deaths + self.losses}"

    def begins(self, node: str) -> None:
        """The task has told that it runs."""
        if self.began is None:
            self.began, self.since, self.node = time.monotonic(), time.time(), node

    @property
    def place(self) -> str:
        """Node on which it ran, as far as it has told; its process is not known then."""
        return place_of(self.node) if self.node else ""

    @property
    def overdue(self) -> bool:
        """Whether it has run too long; one that waits for a worker has not begun."""
        return self.began is not None and time.monotonic() - self.began > timeout_of(self.task)

    def requested(self, nodes: Collection[Amounts]) -> dict[str, float]:
        """What it occupies; alone on a machine, all CPUs of the largest that it fits on."""
        asked = requested(self.task.resources)
        largest = max((node.get(CPU, 0.0) for node in nodes if not missing_resources(asked, node)), default=0.0)
        return {**asked, CPU: max(asked[CPU], largest)} if self.alone else asked

    def again(self, node_lives: bool, out_of_memory: bool) -> Attempt | None:
        """The next try; None when there were enough."""
        if not node_lives:
            enough = self.losses >= LOSSES
            return None if enough else Attempt(self.task, self.deaths, self.losses + 1, self.avoid, self.alone)
        if self.deaths >= DEATHS:
            return None
        avoid = self.avoid | {self.node} if self.node else self.avoid
        return Attempt(self.task, self.deaths + 1, self.losses, avoid, self.alone or out_of_memory)


def place_of(node: str, process: int | str = "?") -> str:
    """How a worker is called in timelines."""
    return f"{node[:12]}/{process}"
