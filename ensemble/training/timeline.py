"""What ran where and when, as plain data, kept with the run in runs.json."""

from __future__ import annotations

from typing import Any

from ensemble.engine.base import Finished
from ensemble.engine.tasks.failures import Ended, Failure


class Timeline:
    """The tasks of one run in the order in which they were over."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def note(self, finished: Finished) -> None:
        """A task is over."""
        self.entries.append(
            {
                "task": finished.task.title,
                "place": finished.place,
                "started": round(finished.started, 3),
                "finished": round(finished.finished, 3),
                "outcome": _outcome(finished.value),
            }
        )


def _outcome(value: object) -> str:
    if isinstance(value, Ended):
        return "ended"  # the run's time was up
    return "failed" if isinstance(value, Failure) else "done"
