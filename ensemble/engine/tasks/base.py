"""What every kind of work offers an engine: its name, what it reads, how it runs, and what became of it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.labels import meaning_of
from ensemble.config.members import Resources
from ensemble.core.console.durations import format_duration
from ensemble.core.storage.array_file import ArrayFile
from ensemble.engine.tasks.failures import Cancelled, Failure

PHOTOGRAPHS, LABELS, FOLDS = "photographs", "labels", "folds"  # keys of shared arrays, beside those of features

Shared = Mapping[str, NDArray[Any] | ArrayFile]
Report = Callable[[float, str], None]  # takes the fraction done and a text


class Task(ABC):
    """One piece of work. Engines know tasks by this interface alone.

    Subclasses are frozen dataclasses of plain data: a task travels to the worker that runs it.

    Attributes
    ----------
    timeout : float
        Seconds that it may run.
    turn : int
        Among tasks of equal urgency those of a lower turn go first.
    source : str
        Key of the photographs that it is about.
    """

    timeout: float = math.inf
    turn: int = 0
    source: str = PHOTOGRAPHS

    @property
    @abstractmethod
    def title(self) -> str:
        """Name of the task, unique in a run."""

    @property
    @abstractmethod
    def group(self) -> str:
        """Name of the group of tasks that take about the same time, and are cancelled together."""

    @property
    @abstractmethod
    def resources(self) -> Resources:
        """Resources that it occupies."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Keys of the shared arrays that it reads whole."""
        return ()

    def pick(self, shared: Shared) -> list[Any]:  # noqa: ARG002
        """Return the few rows, of shared arrays, that travel with the task."""
        return []

    def prepare(self) -> None:  # noqa: B027  most have nothing to prepare
        """Import what `run` needs in this process, before the time counts that it may take."""

    @abstractmethod
    def run(self, inputs: list[Any], report: Report) -> Any:
        """Do the work, of the arrays that it reads followed by the rows that it picked, and return the result."""

    def timed_out(self) -> Failure:
        """Return what became of the task when it ran longer than its timeout."""
        cause = f"it ran longer than --timeout allows ({format_duration(self.timeout)}) and was ended"
        return Failure(cause, cause + "\n")


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    value : result of the task's `run`, or Failure
    worker : str
        Node and process that did the work, empty where it never started.
    started, finished : float
        Seconds since the epoch.
    """

    task: Task
    value: Any
    worker: str
    started: float
    finished: float

    @property
    def failure(self) -> Failure | None:
        """The failure, if it is one."""
        return self.value if isinstance(self.value, Failure) else None

    def summary(self) -> dict[str, Any]:
        """Return what ran where and when, as plain data for the run log."""
        failed = "cancelled" if isinstance(self.value, Cancelled) else "failed"
        return {
            "task": self.task.title,
            "place": self.worker,
            "started": round(self.started, 3),
            "finished": round(self.finished, 3),
            "outcome": failed if self.failure else "done",
        }


def fake_probability(model: Any, X: Any) -> NDArray[np.float64]:
    """Return the column of fake of `predict_proba`, checked: one finite probability for each photograph."""
    output = model.predict_proba(X)
    probabilities = np.asarray(output, dtype=np.float64)
    if probabilities.shape != (len(X), 2):
        raise ValueError(f"predict_proba gave shape {probabilities.shape} for {len(X)} photographs; it must be (n, 2)")
    fake = probabilities[:, _fake_column(model, output)]
    if not ((fake >= -ROUNDING) & (fake <= 1 + ROUNDING)).all():
        raise ValueError("predict_proba gave values that are NaN or outside [0, 1]")
    return fake.clip(0, 1)


def _fake_column(model: Any, output: Any) -> int:
    """Find the column of fake by a DataFrame's titles, or by the model's `classes_`; without both it is the second."""
    found = [getattr(output, "columns", None), getattr(model, "classes_", None)]
    for classes in found:
        meanings = [] if classes is None else [meaning_of(str(value)) for value in classes]
        if sorted(meanings) == [0, 1]:
            return meanings.index(1)
    for classes in found[::-1]:
        if classes is not None:
            raise ValueError(
                f"the classes of predict_proba are {', '.join(map(str, classes))}; they must be 0 (real) and 1 (fake)"
            )
    return 1


ROUNDING = 1e-6  # of single precision
