"""A member tried on a few training photographs, to estimate how long a fold takes. Nothing else is learned from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.config.members import MemberSettings, Resources
from ensemble.core.threads import threads
from ensemble.engine.recipes.build import build, build_model
from ensemble.engine.tasks.base import LABELS, PHOTOGRAPHS, Report, Shared, Task
from ensemble.engine.tasks.failures import Cancelled
from ensemble.engine.tasks.output import printed


@dataclass(frozen=True)
class Pilot:
    """Measurements of a pilot, in seconds: of a fit whatever its rows are, and for each row of it and of others."""

    fixed: float
    fit: float
    predict: float
    features: float

    def fold(self, training: float, predicted: float) -> float:
        """Return the seconds of a fold with so many rows, whose features are computed."""
        return self.fixed + self.fit * training + self.predict * predicted


@dataclass(frozen=True)
class PilotTask(Task):
    """A pilot on the training photographs of `rows`."""

    member: MemberSettings
    rows: NDArray[np.intp]
    timeout: float

    @property
    def title(self) -> str:
        """Name of the only task of its group."""
        return self.group

    @property
    def group(self) -> str:
        """Name of the pilot."""
        return f"pilot/{self.member.name}"

    @property
    def resources(self) -> Resources:
        """Resources of the member's folds."""
        return self.member.resources

    def pick(self, shared: Shared) -> list[Any]:
        """Return the photographs and their labels."""
        return [shared[PHOTOGRAPHS][self.rows], shared[LABELS][self.rows]]

    def prepare(self) -> None:
        """Import the member's code, which is no part of its speed."""
        if self.member.features is not None:
            build(self.member.features)
        build_model(self.member, fold=0)

    def run(self, inputs: list[Any], report: Report) -> Pilot:  # noqa: ARG002
        """Fit on a third of the rows and on all: a straight line through both gives what many rows take."""
        photographs, labels = inputs
        third = len(labels) // 3
        with threads(self.resources.num_cpus), printed():
            table, features = photographs, 0.0
            if self.member.features is not None:
                transformer = build(self.member.features)
                transformer.transform(photographs[:1])  # the first call of a process loads networks
                features, table = _timed(lambda: transformer.transform(photographs))
            model = build_model(self.member, fold=0)
            model.fit(table[:third], labels[:third])  # the first fit of a process is slow
            few, _ = _timed(lambda: model.fit(table[:third], labels[:third]))
            all_of_them, _ = _timed(lambda: model.fit(table, labels))
            predict, _ = _timed(lambda: model.predict_proba(table))
        each = max(all_of_them - few, 0.0) / (len(labels) - third)
        return Pilot(max(few - each * third, 0.0), each, predict / len(labels), features / len(labels))

    def timed_out(self) -> Cancelled:
        """Return the outcome of a pilot that is slow, which is no failure."""
        return Cancelled("it would take too long", "")


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result
