"""The order of the work: the longest first, so that none of them begins last and is waited for alone."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator

from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine, Finished
from ensemble.engine.capacity import Placement
from ensemble.engine.resources import Amounts, format_resources, missing_resources, requested
from ensemble.engine.tasks.base import FoldTask, Task

_PATIENCE, _REMIND = 60.0, 600.0  # seconds in which nothing runs, before it is told, and told again
_Shape = tuple[tuple[str, float], ...]
_Entry = tuple[float, int, int, Task]


def _anywhere(want: Amounts) -> Placement:  # noqa: ARG001
    return "here"


class Agenda:
    """Tasks that wait for their turn: longest processing time first (Graham, 1969).

    What nobody has measured comes before all, one task of each such group after the other: it may be the longest, and
    the sooner one of them is finished, the sooner it takes its place among the others.

    Parameters
    ----------
    seconds : callable
        What a task takes, together with all that can only begin after it; infinite where nobody knows.
    """

    def __init__(self, seconds: Callable[[Task], float]) -> None:
        self._seconds = seconds
        self._groups: dict[str, dict[str, Task]] = {}
        self._entered: dict[str, int] = {}  # title -> the entry that stands; others of it are passed over
        self._queues: dict[_Shape, list[_Entry]] = {}  # a heap for all tasks that want the same
        self._numbers = itertools.count()
        self._begun: dict[str, Task] = {}

    def __len__(self) -> int:
        return len(self._entered)

    def add(self, tasks: Iterable[Task]) -> None:
        """Let tasks wait."""
        for task in tasks:
            number = next(self._numbers)
            self._groups.setdefault(task.group, {})[task.title] = task
            self._entered[task.title] = number
            queue = self._queues.setdefault(tuple(sorted(requested(task.resources).items())), [])
            heapq.heappush(queue, (-self._seconds(task), _turn(task), number, task))

    def sort_in(self, group: str) -> None:
        """Give the tasks of a group their place anew: what they take is known better now."""
        self.add(list(self._groups.get(group, {}).values()))

    def drop(self, group: str) -> list[Task]:
        """Take all tasks of a group off the agenda, those that have begun too; gives those that had not."""
        dropped = list(self._groups.pop(group, {}).values())
        for task in dropped:
            del self._entered[task.title]
        self._begun = {title: task for title, task in self._begun.items() if task.group != group}
        return dropped

    def take(self, free: Amounts, placement: Callable[[Amounts], Placement] = _anywhere) -> Task | None:
        """The most urgent task that can begin; None if none can.

        One that does not fit keeps what it lacks from those behind it: many small tasks would else hold it up for ever.
        One that no machine could hold keeps nothing.
        """
        left = dict(free)
        for shape, queue in sorted(self._queues.items(), key=lambda item: self._head(item[1])):
            where = placement(dict(shape)) if queue else "aside"
            missing = missing_resources(dict(shape), left) if where == "here" else []
            if where != "aside" and not missing:
                return self._taken(heapq.heappop(queue)[-1])
            left |= dict.fromkeys(missing, 0.0)
        return None

    def over(self, task: Task) -> bool:
        """Whether a task that is over was still wanted: a group may be dropped while its results are on their way."""
        if self._begun.get(task.title) is not task:
            return False
        del self._begun[task.title]
        return True

    def first(self) -> Task | None:
        """The most urgent task; of none that waits, one that was handed out."""
        queue = min(self._queues.values(), key=self._head, default=[])
        return queue[0][-1] if queue else next(iter(self._begun.values()), None)

    def _taken(self, task: Task) -> Task:
        del self._entered[task.title]
        self._begun[task.title] = task
        return self._groups[task.group].pop(task.title)

    def _head(self, queue: list[_Entry]) -> tuple[float, int, int]:
        """The first entry that still stands."""
        while queue and self._entered.get(queue[0][-1].title) != queue[0][2]:
            heapq.heappop(queue)
        return queue[0][:3] if queue else (math.inf, 0, 0)


def _turn(task: Task) -> int:
    """Features before the second fold of anybody: nobody knows yet what waits for them."""
    return task.fold if isinstance(task, FoldTask) else 0


def work_off(agenda: Agenda, engine: Engine, board: ProgressBoard) -> Iterator[Finished]:
    """Run what is on the agenda, and what is put there meanwhile; yield each task as soon as it is over."""
    patience = _Patience(board)
    while (len(agenda) and not engine.time_is_up) or engine.busy:
        while not engine.time_is_up and (task := agenda.take(engine.free(), engine.placement)) is not None:
            engine.submit(task)
        patience.look(agenda, engine)
        board.usage, board.slots = engine.usage(), engine.slots()
        yield from (finished for finished in engine.wait(board) if agenda.over(finished.task))


class _Patience:
    """Tells when nothing has run for a while, for want of a machine that fits."""

    def __init__(self, board: ProgressBoard) -> None:
        self.board, self.since, self.limit = board, time.monotonic(), _PATIENCE

    def look(self, agenda: Agenda, engine: Engine) -> None:
        if engine.in_use():
            self.since, self.limit = time.monotonic(), _PATIENCE
        elif time.monotonic() - self.since > self.limit and (task := agenda.first()):
            asked = format_resources(requested(task.resources))
            self.board.log(f"  nothing runs: {task.title} waits for a machine with {asked}, and none is free")
            self.limit += _REMIND
