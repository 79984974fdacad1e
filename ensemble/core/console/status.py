"""A status line for long work: a bar in a terminal, elsewhere a line every ten seconds, whatever the engine does."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.status import Status

from ensemble.core.console.durations import format_duration

if TYPE_CHECKING:
    from typing import Self

_EVERY = 10.0  # seconds
_TOO_EARLY = 0.01  # of the work: too little to estimate the rest


class StatusLine:
    """Line that shows what a command is doing, from a thread of its own, since an engine may work in the main one.

    Attributes
    ----------
    step : str
        Current step.
    fraction : float or None
        How much of the step is done, where that is known.
    """

    def __init__(self, console: Console, every: float = _EVERY) -> None:
        self.console, self.every = console, every
        self.step, self._started, self._before = "", time.monotonic(), 0.0
        self.fraction: float | None = None
        self._ended = threading.Event()
        self._status = Status("", console=console) if console.is_terminal else None
        self._thread = threading.Thread(target=self._show, daemon=True)

    def start(self, step: str, done: float = 0.0) -> None:
        """Start the next step, of which a share was done by an earlier run."""
        self.step, self.fraction, self._started, self._before = step, None, time.monotonic(), done
        self.console.print(step, markup=False)

    def update(self, fraction: float) -> None:
        """Show how much of the step is done."""
        self.fraction = fraction

    @property
    def line(self) -> str:
        """The step, how much of it is done, and the time left."""
        fraction, passed = self.fraction, time.monotonic() - self._started
        if fraction is None:
            return f"{self.step}, {format_duration(passed)} so far"
        here = fraction - self._before
        left = f", about {format_duration(passed / here * (1 - fraction))} left" if here > _TOO_EARLY else ""
        return f"{self.step}: {fraction:.0%}{left}"

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread and remove the bar."""
        self._ended.set()
        self._thread.join()
        if self._status is not None:
            self._status.stop()

    def _show(self) -> None:
        while not self._ended.wait(1.0 if self._status is not None else self.every):
            if self._status is not None:
                self._status.update(self.line)
            elif self.step:
                self.console.print(f"  {self.line}", markup=False)
