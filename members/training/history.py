"""History of a fit: one record per epoch, and a line for a progress display."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

EpochRecord = dict[str, float]
Report = Callable[[float, str], None]  # fraction done in (0, 1], short text

_SECONDS_BETWEEN_REPORTS: Final = 1.0


class Tally:
    """Running figures of one epoch, on training batches as they were learned from."""

    def __init__(self, epoch: int, epochs: int) -> None:
        self.epoch, self.epochs = epoch, epochs
        self.learning_rate = math.nan
        self._started = time.perf_counter()
        self._seen, self._loss, self._right = 0, 0.0, 0

    def add(self, rows: int, loss: float, right: int) -> None:
        """Count one batch."""
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss} in epoch {self.epoch}; lower learning_rate")
        self._seen += rows
        self._loss += rows * loss
        self._right += right

    def record(self) -> EpochRecord:
        """Return the epoch as plain data; `learning_rate` is that of the last batch."""
        seconds = time.perf_counter() - self._started
        return {
            "epoch": self.epoch,
            "loss": self._loss / self._seen,
            "accuracy": self._right / self._seen,
            "learning_rate": self.learning_rate,
            "photographs_per_second": self._seen / seconds,
            "seconds": seconds,
        }

    def text(self) -> str:
        """Return the line for a progress display."""
        now = self.record()
        speed = f"{now['photographs_per_second']:.3g} photographs/s"
        return f"epoch {self.epoch}/{self.epochs}, loss {now['loss']:.2f}, {speed}"


def at_most_every_second(hook: Report | None) -> Report:
    """Wrap a progress hook that may be None; the end is always reported."""
    last = -_SECONDS_BETWEEN_REPORTS

    def report(fraction: float, text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if hook is not None and (fraction >= 1 or now - last >= _SECONDS_BETWEEN_REPORTS):
            last = now
            hook(fraction, text)

    return report
