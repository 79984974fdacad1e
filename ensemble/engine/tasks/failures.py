"""What is known of a task that did not succeed."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from ensemble.core.console.text import plain, sentence


@dataclass(frozen=True)
class Failure:
    """Outcome of a failed task: the cause in one sentence, and the whole traceback."""

    cause: str
    traceback: str


class Cancelled(Failure):
    """Outcome of a task that was ended, or never started, because the time of the whole run was up."""


def failure(error: BaseException) -> Failure:
    """Return the failure that an exception in a task amounts to."""
    try:
        text = str(error)
    except Exception:  # of any package
        text = ""
    cause = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return Failure(sentence(cause), plain("".join(traceback.format_exception(error))))


def cancelled() -> Cancelled:
    """Return the outcome of a task that was ended because the whole run's time was up."""
    return Cancelled("the time of this run was up", "")
