"""Tasks in the order of their urgency: the longest first, so that none of them starts last and is waited for alone."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Literal

from ensemble.engine.resources import Amounts, missing_resources, requested
from ensemble.engine.tasks.base import Task

Placement = Literal["here", "pending", "aside"]  # on a node; in Ray's queue for a node that may join; nowhere yet
_Shape = tuple[tuple[str, float], ...]
_Entry = tuple[float, int, int, Task]


class TaskQueue:
    """Waiting tasks: longest processing time first (Graham, 1969).

    Those of unknown length come before all, one task of each such group after the other: it may be the longest, and
    the sooner one of them is done, the sooner it takes its place among the others.

    Parameters
    ----------
    seconds : callable
        Length of a task, together with all that can only start after it; infinite where it is unknown.
    """

    def __init__(self, seconds: Callable[[Task], float]) -> None:
        self._seconds = seconds
        self._groups: dict[str, dict[str, Task]] = {}
        self._entered: dict[str, int] = {}  # title -> number of the entry that counts; older entries are skipped
        self._heaps: dict[_Shape, list[_Entry]] = {}  # one for all tasks that request the same resources
        self._numbers = itertools.count()
        self._started: dict[str, Task] = {}

    def __len__(self) -> int:
        return len(self._entered)

    def add(self, tasks: Iterable[Task]) -> None:
        """Add tasks."""
        for task in tasks:
            number = next(self._numbers)
            self._groups.setdefault(task.group, {})[task.title] = task
            self._entered[task.title] = number
            heap = self._heaps.setdefault(tuple(sorted(requested(task.resources).items())), [])
            heapq.heappush(heap, (-self._seconds(task), task.turn, number, task))

    def reorder(self, group: str) -> None:
        """Move the tasks of a group to their new place: more is known of their length now."""
        self.add(list(self._groups.get(group, {}).values()))

    def drop(self, group: str) -> None:
        """Remove all tasks of a group, those that have started too."""
        for title in self._groups.pop(group, {}):
            del self._entered[title]
        self._started = {title: task for title, task in self._started.items() if task.group != group}

    def take(self, free: Amounts, placement: Callable[[Amounts], Placement]) -> Task | None:
        """Remove and return the most urgent task that can start; None if none can.

        One that does not fit reserves what it lacks: many small tasks behind it would otherwise hold it up for ever.
        One that no node could hold reserves nothing.
        """
        left = dict(free)
        for shape, heap in sorted(self._heaps.items(), key=lambda item: self._head(item[1])):
            where = placement(dict(shape)) if heap else "aside"
            missing = missing_resources(dict(shape), left) if where == "here" else []
            if where != "aside" and not missing:
                return self._start(heapq.heappop(heap)[-1])
            left |= dict.fromkeys(missing, 0.0)
        return None

    def finish(self, task: Task) -> bool:
        """Return whether the task was still expected: its group may be dropped while the result is on its way."""
        if self._started.get(task.title) is not task:
            return False
        del self._started[task.title]
        return True

    def first(self) -> Task | None:
        """Return the most urgent waiting task; where none waits, one that has started."""
        heap = min(self._heaps.values(), key=self._head, default=[])
        return heap[0][-1] if heap else next(iter(self._started.values()), None)

    def _start(self, task: Task) -> Task:
        del self._entered[task.title]
        self._started[task.title] = task
        return self._groups[task.group].pop(task.title)

    def _head(self, heap: list[_Entry]) -> tuple[float, int, int]:
        """Return the first entry that counts."""
        while heap and self._entered.get(heap[0][-1].title) != heap[0][2]:
            heapq.heappop(heap)
        return heap[0][:3] if heap else (math.inf, 0, 0)
