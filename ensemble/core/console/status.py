"""How far the asking is: a bar in a terminal, elsewhere a line every ten seconds, whatever the engine is busy with."""

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
_TOO_EARLY = 0.01  # of the work: nothing can be told of the rest yet


class Progress:
    """Tells where a run is; a thread of its own does, since an engine may work in this one.

    Attributes
    ----------
    doing : str
        What is done now.
    fraction : float or None
        How much of it is done, where that is known.
    """

    def __init__(self, console: Console, every: float = _EVERY) -> None:
        self.console, self.every = console, every
        self.doing, self._begun = "", time.monotonic()
        self.fraction: float | None = None
        self._ended = threading.Event()
        self._status = Status("", console=console) if console.is_terminal else None
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def begin(self, doing: str) -> None:
        """Something else is done now."""
        self.doing, self.fraction, self._begun = doing, None, time.monotonic()
        self.console.print(doing, markup=False)

    def at(self, fraction: float) -> None:
        """So much of it is done."""
        self.fraction = fraction

    @property
    def line(self) -> str:
        """What is done, how much of it, and the time that is left."""
        fraction, passed = self.fraction, time.monotonic() - self._begun
        if fraction is None:
            return f"{self.doing}, {format_duration(passed)} so far"
        left = f", about {format_duration(passed / fraction * (1 - fraction))} left" if fraction > _TOO_EARLY else ""
        return f"{self.doing}: {fraction:.0%}{left}"

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Be silent from now on."""
        self._ended.set()
        self._thread.join()
        if self._status is not None:
            self._status.stop()

    def _tell(self) -> None:
        while not self._ended.wait(1.0 if self._status is not None else self.every):
            if self._status is not None:
                self._status.update(self.line)
            elif self.doing:
                self.console.print(f"  {self.line}", markup=False)
