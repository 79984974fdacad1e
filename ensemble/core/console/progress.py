"""Progress of a run: a live table in a terminal, plain lines elsewhere, and the estimated time left."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ensemble.core.console.console import make_console
from ensemble.core.console.durations import format_duration

if TYPE_CHECKING:
    from typing import Self

_MANY, _ESTIMATE_EVERY = 100, 1.0  # tasks; seconds
_LINE_EVERY = 30.0  # seconds between plain lines about running folds: a job's log should stay readable
_MARKS = {"waiting": "·", "running": "▸", "done": "●", "failed": "✗", "stored": "○", "cancelled": "□"}


@dataclass
class _Task:
    member: str
    slots: float  # that it takes up
    expected: float = math.inf
    state: str = "waiting"
    fraction: float = 0.0
    started: float = 0.0
    seconds: float = 0.0
    text: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is neither done nor lost."""
        return self.state in ("waiting", "running")

    def estimate(self, now: float) -> float | None:
        """Return the seconds that the whole task takes, as far as its own progress says."""
        if self.state == "done":
            return self.seconds
        if self.state == "running" and self.fraction > 0:
            return (now - self.started) / self.fraction
        return None

    def seconds_left(self, now: float, typical: float) -> float:
        """Return the seconds until the task is done."""
        if self.state == "waiting":
            return typical
        if self.state != "running":
            return 0.0
        return max((self.estimate(now) or typical) - (now - self.started), 0.0)


@dataclass
class ProgressBoard:
    """The state of all folds of a run, as engines report it.

    Parameters
    ----------
    slots : float
        CPUs that work at the same time; one where tasks run in this process.
    standing : str
        Score of the blend of the finished folds, shown below the table.
    usage : str
        Resources in use, shown above it.
    """

    slots: float = 1.0
    standing: str = ""
    usage: str = ""
    console: Console = field(default_factory=make_console)
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _expected: dict[str, float | None] = field(default_factory=dict)
    _live: Live | None = None
    _last_line: float = 0.0
    _open: set[str] = field(default_factory=set)
    _estimate: tuple[float, str] = (-math.inf, "")

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._table, console=self.console, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state of the table on the screen."""
        if self._live is not None:
            self._live.stop()

    def add(self, title: str, member: str, slots: float, expected: float = math.inf) -> None:
        """Add a fold, the slots that it takes up, and the seconds that it is expected to take."""
        self._tasks[title] = _Task(member, slots, expected)
        self._open.add(title)

    def add_stored(self, title: str, member: str) -> None:
        """Add a fold that an earlier run finished."""
        self.add(title, member, 0)
        self._close(title, "stored")

    def expect(self, what: str, seconds: float | None) -> None:
        """Count work that folds wait for, in seconds of one slot; None where it is not known."""
        self._expected[what] = seconds

    def remove(self, member: str) -> None:
        """Remove the open folds of a member."""
        removed = [title for title, task in self._tasks.items() if task.member == member and task.is_open]
        self._open.difference_update(removed)
        self._tasks = {title: task for title, task in self._tasks.items() if title not in set(removed)}

    def is_running(self, member: str) -> bool:
        """Return whether a fold of the member is running."""
        return any(task.member == member and task.state == "running" for task in self._tasks.values())

    def seconds_left_of(self, title: str, expected: float) -> float:
        """Return the seconds until a fold is done; `expected` if it has not started."""
        task = self._tasks.get(title)
        return expected if task is None else task.seconds_left(time.monotonic(), expected)

    def started(self, title: str) -> None:
        """Show that a fold runs; tasks that were not added are not shown."""
        task = self._tasks.get(title)
        if task is None:
            return
        task.state, task.started, task.fraction = "running", time.monotonic(), 0.0

    def advanced(self, title: str, fraction: float, text: str) -> None:
        """Show how far a running fold is."""
        task = self._tasks.get(title)
        if task is None or not task.is_open:
            return  # a late report of a fold that is done or lost
        if task.state == "waiting" or fraction < task.fraction:
            self.started(title)
        task.fraction, task.text = fraction, text
        if self._live is None and time.monotonic() - self._last_line > _LINE_EVERY:
            self.log(f"  {title}: {text}{self._time_left()}")

    def done(self, title: str, seconds: float, text: str) -> None:
        """Show that a fold is stored."""
        task = self._close(title, "done")
        task.seconds, task.fraction, task.text = seconds, 1.0, text
        if self._live is None:
            self.log(f"  {title} done in {format_duration(seconds)}: {text} [{self._count()}{self._time_left()}]")

    def failed(self, title: str, cause: str) -> None:
        """Show that a fold failed."""
        self._close(title, "failed").text = cause
        self.log(f"  {title} FAILED: {cause}")

    def cancelled(self, title: str) -> None:
        """Show that a fold was ended because the run's time was up."""
        self._close(title, "cancelled")

    def member_failed(self, member: str, cause: str) -> None:
        """Show that all open folds of a member are lost."""
        for title in [title for title in self._open if self._tasks[title].member == member]:
            self._close(title, "failed").text = cause
        self.log(f"{member} FAILED: {cause}")

    def log(self, line: str) -> None:
        """Print a line, above the live table if there is one."""
        self._last_line = time.monotonic()
        self.console.print(line, markup=False)

    def seconds_left(self) -> tuple[float, bool]:
        """Return the estimated seconds to the end, and whether every member's speed is known (else a lower bound)."""
        now, longest = time.monotonic(), 0.0
        expected = list(self._expected.values())  # the table is drawn by a thread of its own
        work = sum(seconds for seconds in expected if seconds is not None)
        known = None not in expected
        for tasks in self._by_member().values():
            to_do = [task for task in tasks if task.is_open]
            typical = _typical(tasks, now)
            left = [task.seconds_left(now, typical or 0.0) for task in to_do]
            work += sum(seconds * task.slots for seconds, task in zip(left, to_do, strict=True))
            longest = max([longest, *left])
            known &= typical is not None or not to_do
        return max(work / self.slots, longest), known

    def _by_member(self) -> dict[str, list[_Task]]:
        found: dict[str, list[_Task]] = {}
        for task in list(self._tasks.values()):
            found.setdefault(task.member, []).append(task)
        return found

    def _close(self, title: str, state: str) -> _Task:
        self._open.discard(title)
        self._tasks[title].state = state
        return self._tasks[title]

    def of_the_run(self) -> str:
        """Return how far the whole run is, in brackets; empty where no fold waits."""
        return f" [{self._count()}{self._time_left()}]" if self._open else ""

    def _count(self) -> str:
        return f"{len(self._tasks) - len(self._open)} of {len(self._tasks)} folds"

    def _time_left(self) -> str:
        """Return the time left for messages; with thousands of folds it is not computed for every line."""
        now = time.monotonic()
        if len(self._tasks) < _MANY or now - self._estimate[0] > _ESTIMATE_EVERY:
            seconds, known = self.seconds_left()
            text = f", {'about' if known else 'at least'} {format_duration(seconds)} left" if seconds >= 1 else ""
            self._estimate = (now, text)
        return self._estimate[1]

    def _table(self) -> Table:
        title = self._count() + self._time_left() + (f"; {self.usage}" if self.usage else "")
        table = Table("member", "folds", "now", "a fold takes", "left", title=title, title_justify="left", box=None)
        now = time.monotonic()
        table.caption, table.caption_justify = Text(self.standing) if self.standing else None, "left"
        for member, tasks in self._by_member().items():
            running = [f"{task.fraction:.0%} {task.text}" for task in tasks if task.state == "running"]
            marks = " ".join(_MARKS[task.state] for task in tasks)
            typical = _typical(tasks, now)
            left = sum(task.seconds_left(now, typical or 0.0) for task in tasks)
            table.add_row(
                Text(member),
                marks,
                Text("; ".join(running) or (tasks[-1].text if tasks[-1].state == "done" else "")),
                "" if typical is None else format_duration(typical),
                format_duration(left) if left and typical is not None else "",
            )
        return table


def _typical(tasks: list[_Task], now: float) -> float | None:
    """Return the seconds of a fold of one member; None where nothing is known."""
    seconds = [value for task in tasks if (value := task.estimate(now)) is not None]
    if not seconds:  # what earlier runs took is all that is known
        seconds = [task.expected for task in tasks if math.isfinite(task.expected)]
    return sum(seconds) / len(seconds) if seconds else None
