"""Time limits of a run: of each fold, and of all of it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from ensemble.core.console.durations import parse_duration

_SPARE = 0.9
_LAST = 0.03  # of the budget is reserved for the last blend and the reports
_LAST_AT_LEAST, _LAST_AT_MOST = 7.0, 60.0  # seconds


class Budget:
    """Seconds that a run may take from its start, reports included.

    Parameters
    ----------
    seconds : float
        Infinite where there is no limit.
    started : float
        When the run started, of `time.monotonic`.
    """

    def __init__(self, seconds: float, started: float) -> None:
        self.seconds = seconds
        last = min(max(seconds * _LAST, _LAST_AT_LEAST), _LAST_AT_MOST, seconds / 2)
        self.deadline = started + seconds - last

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return math.isfinite(self.seconds)

    @property
    def left(self) -> float:
        """Seconds in which tasks may run."""
        return max(self.deadline - time.monotonic(), 0.0)

    @property
    def left_to_promise(self) -> float:
        """Seconds that may be promised to what has not started: estimates are off by some tenths."""
        return _SPARE * self.left


@dataclass(frozen=True)
class Limits:
    """Time limits: each fold may take `timeout` seconds, and the whole run its budget."""

    timeout: float = math.inf
    budget: Budget = field(default_factory=lambda: Budget(math.inf, 0.0))

    @classmethod
    def parse(cls, timeout: str | None, budget: str | None, started: float, option: str = "") -> Limits:
        """Return the limits of two durations such as "90s" or "1h30m"; `option` is put before their names in errors.

        `started` is when the run started, of `time.monotonic`.
        """
        names = (f"{option}timeout", f"{option}budget")
        seconds = [
            math.inf if given is None else parse_duration(given, name)
            for given, name in zip((timeout, budget), names, strict=True)
        ]
        return cls(seconds[0], Budget(seconds[1], started))


UNLIMITED = Limits()
