"""What a person sees while they wait: a live table in a terminal, plain lines elsewhere, and the time that is left."""

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

_MANY, _TELL_EVERY = 100, 1.0  # tasks; seconds
_LINE_EVERY = 30.0  # seconds between plain lines about running folds: a job's log should stay readable
_MARKS = {"waiting": "·", "running": "▸", "done": "●", "failed": "✗", "kept": "○", "left": "□"}


@dataclass
class _Task:
    member: str
    cpus: int
    expected: float = math.inf
    state: str = "waiting"
    fraction: float = 0.0
    begun: float = 0.0
    seconds: float = 0.0
    text: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in ("waiting", "running")

    def estimate(self, now: float) -> float | None:
        """Seconds that the whole task takes, as far as it can tell itself."""
        if self.state == "done":
            return self.seconds
        if self.state == "running" and self.fraction > 0:
            return (now - self.begun) / self.fraction
        return None

    def left(self, now: float, typical: float) -> float:
        """Seconds of this task that are still to come."""
        if self.state == "waiting":
            return typical
        if self.state != "running":
            return 0.0
        return max((self.estimate(now) or typical) - (now - self.begun), 0.0)


@dataclass
class ProgressBoard:
    """The state of all folds of a run. Engines tell it what happens; it tells the person.

    Parameters
    ----------
    slots : float
        CPUs that work at the same time.
    standing : str
        How good the blend of what is finished is, shown below the table.
    in_use : str
        What of the machines is at work, shown above it.
    """

    slots: float = 1.0
    standing: str = ""
    usage: str = ""
    console: Console = field(default_factory=make_console)
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _live: Live | None = None
    _last_line: float = 0.0
    _open: set[str] = field(default_factory=set)
    _told: tuple[float, str] = (-math.inf, "")

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

    def add(self, title: str, member: str, cpus: int, expected: float = math.inf, *, kept: bool = False) -> None:
        """Announce a fold, and the seconds that it is likely to take; `kept` ones were finished by an earlier run."""
        self._tasks[title] = _Task(member, cpus, expected)
        self._open.add(title)
        if kept:
            self._close(title, "kept")

    def forget(self, member: str) -> None:
        """Nothing more is to be done of a member; what is over stays on the board."""
        forgotten = [title for title, task in self._tasks.items() if task.member == member and task.is_open]
        self._open.difference_update(forgotten)
        self._tasks = {title: task for title, task in self._tasks.items() if title not in set(forgotten)}

    def is_running(self, member: str) -> bool:
        """Whether a fold of the member is at work."""
        return any(task.member == member and task.state == "running" for task in self._tasks.values())

    def seconds_of(self, title: str, expected: float) -> float:
        """Seconds that a fold still takes; `expected` if it has not begun, 0 if it is over."""
        task = self._tasks.get(title)
        return expected if task is None else task.left(time.monotonic(), expected)

    def started(self, title: str) -> None:
        """A fold begins; of chunks of features the board shows nothing."""
        task = self._tasks.get(title)
        if task is None:
            return
        task.state, task.begun, task.fraction = "running", time.monotonic(), 0.0

    def advanced(self, title: str, fraction: float, text: str) -> None:
        """A running fold reports how far it is."""
        task = self._tasks.get(title)
        if task is None or not task.is_open:
            return  # late news of a fold that is over
        if task.state == "waiting" or fraction < task.fraction:
            self.started(title)
        task.fraction, task.text = fraction, text
        if self._live is None and time.monotonic() - self._last_line > _LINE_EVERY:
            self.log(f"  {title}: {text}{self._time_left()}")

    def finished(self, title: str, seconds: float, text: str) -> None:
        """A fold is stored."""
        task = self._close(title, "done")
        task.seconds, task.fraction, task.text = seconds, 1.0, text
        if self._live is None:
            self.log(f"  {title} done in {format_duration(seconds)}: {text} [{self._count()}{self._time_left()}]")

    def failed(self, title: str, cause: str) -> None:
        """A fold is lost."""
        self._close(title, "failed").text = cause
        self.log(f"  {title} FAILED: {cause}")

    def ended(self, title: str) -> None:
        """A fold was ended because the run's time was up."""
        self._close(title, "left")

    def lost(self, member: str, cause: str) -> None:
        """All folds of a member that have not begun are lost."""
        for title in [title for title in self._open if self._tasks[title].member == member]:
            self._close(title, "failed").text = cause
        self.log(f"{member} FAILED: {cause}")

    def log(self, line: str) -> None:
        """Print a line, above the live table if there is one."""
        self._last_line = time.monotonic()
        self.console.print(line, markup=False)

    def seconds_left(self) -> tuple[float, bool]:
        """Estimated seconds to the end, and whether every member's speed is known (else it is a lower bound)."""
        now, work, longest, known = time.monotonic(), 0.0, 0.0, True
        for tasks in self._by_member().values():
            to_do = [task for task in tasks if task.is_open]
            typical = _typical(tasks, now)
            left = [task.left(now, typical or 0.0) for task in to_do]
            work += sum(seconds * task.cpus for seconds, task in zip(left, to_do, strict=True))
            longest = max([longest, *left])
            known &= typical is not None or not to_do
        return max(work / self.slots, longest), known

    def _by_member(self) -> dict[str, list[_Task]]:
        found: dict[str, list[_Task]] = {}
        for task in list(self._tasks.values()):  # the table is drawn by a thread of its own
            found.setdefault(task.member, []).append(task)
        return found

    def _close(self, title: str, state: str) -> _Task:
        self._open.discard(title)
        self._tasks[title].state = state
        return self._tasks[title]

    def _count(self) -> str:
        return f"{len(self._tasks) - len(self._open)} of {len(self._tasks)} folds"

    def _time_left(self) -> str:
        """In words; of thousands of folds not counted anew for every line."""
        now = time.monotonic()
        if len(self._tasks) < _MANY or now - self._told[0] > _TELL_EVERY:
            seconds, known = self.seconds_left()
            text = f", {'about' if known else 'at least'} {format_duration(seconds)} left" if seconds >= 1 else ""
            self._told = (now, text)
        return self._told[1]

    def _table(self) -> Table:
        title = self._count() + self._time_left() + (f"; {self.usage}" if self.usage else "")
        table = Table("member", "folds", "now", "a fold takes", "left", title=title, title_justify="left", box=None)
        now = time.monotonic()
        table.caption, table.caption_justify = Text(self.standing) if self.standing else None, "left"
        for member, tasks in self._by_member().items():
            running = [f"{task.fraction:.0%} {task.text}" for task in tasks if task.state == "running"]
            marks = " ".join(_MARKS[task.state] for task in tasks)
            typical = _typical(tasks, now)
            left = sum(task.left(now, typical or 0.0) for task in tasks)
            table.add_row(
                Text(member),
                marks,
                Text("; ".join(running) or (tasks[-1].text if tasks[-1].state == "done" else "")),
                "" if typical is None else format_duration(typical),
                format_duration(left) if left and typical is not None else "",
            )
        return table


def _typical(tasks: list[_Task], now: float) -> float | None:
    """Seconds of a fold of one member, if anything is known of them."""
    seconds = [value for task in tasks if (value := task.estimate(now)) is not None]
    if not seconds:  # what earlier runs took is all that is known
        seconds = [task.expected for task in tasks if math.isfinite(task.expected)]
    return sum(seconds) / len(seconds) if seconds else None
