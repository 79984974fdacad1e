"""What is told of a task that did not come home."""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass

from ensemble.core.console.durations import format_duration
from ensemble.core.console.text import plain, sentence
from ensemble.engine.tasks.base import FeatureTask, PilotTask, Task


@dataclass(frozen=True)
class Failure:
    """A task that did not come home: the cause in one sentence, and the whole traceback."""

    cause: str
    traceback: str


class Ended(Failure):
    """A task that was ended, or never begun, because the time of the whole run was up."""


def failure(error: BaseException) -> Failure:
    """What is told of an exception in a task."""
    try:
        said = str(error)
    except Exception:  # of any package
        said = ""
    cause = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return Failure(sentence(cause), plain("".join(traceback.format_exception(error))))


def overdue(task: Task) -> Failure:
    """What is told of a task that was ended because it ran too long; of a pilot that is no failure."""
    if isinstance(task, PilotTask):
        return Ended("it would take too long", "")
    cause = f"it ran longer than --timeout allows ({format_duration(timeout_of(task))}) and was ended"
    return Failure(cause, cause + "\n")


def ended() -> Ended:
    """What is told of a task that was ended because the whole run's time was up."""
    return Ended("the time of this run was up", "")


def timeout_of(task: Task) -> float:
    """Seconds that a task may run."""
    return math.inf if isinstance(task, FeatureTask) else task.timeout
