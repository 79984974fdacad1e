"""What every engine offers: take tasks that fit on what is free, and hand back what became of them."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ensemble.config import MemberSettings, Resources
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.storage.files import files_below
from ensemble.engine.capacity import Placement
from ensemble.engine.resources import CPU, GPU, Amounts, format_resources, missing_resources, requested, total
from ensemble.engine.span import Job, makespan
from ensemble.engine.tasks.base import LABELS, PHOTOGRAPHS, AskTask, FeatureTask, PilotTask, Task
from ensemble.engine.tasks.failures import Failure
from ensemble.engine.tasks.fold import Outcome

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class Finished:
    """A task that is over.

    Attributes
    ----------
    value : FoldResult, Features, Pilot, Answers or Failure
        What came of it.
    place : str
        Node and process that did the work, empty where it never began.
    started, finished : float
        Seconds since the epoch.
    """

    task: Task
    value: Outcome | Failure
    place: str
    started: float
    finished: float


class Engine(ABC):
    """Runs tasks. Use it as a context manager, so that its workers end with the block."""

    grows = False  # whether machines may join while it runs

    def __init__(self) -> None:
        self.shared: dict[str, NDArray[Any]] = {}
        self.deadline = math.inf  # of time.monotonic; what runs then is ended

    def share(self, key: str, array: NDArray[Any]) -> None:
        """Make an array known to the tasks that name it: photographs, labels, folds, a table of features."""
        self.shared[key] = array

    def unshare(self, key: str) -> None:
        """Forget an array that no task asks for any more, and that only tasks with a few rows have read."""
        self.shared.pop(key, None)

    def read(self, task: FeatureTask | PilotTask | AskTask) -> list[Any]:
        """The few rows that such a task needs: photographs, for a pilot labels, for a stored model its files."""
        if isinstance(task, AskTask):
            files = {name: read() for name, _, read in files_below(Path(task.model), lambda _: True)}
            return [self.shared[task.table][task.rows], files]
        if isinstance(task, PilotTask):
            return [self.shared[PHOTOGRAPHS][task.rows], self.shared[LABELS][task.rows]]
        return [self.shared[task.photographs][task.rows]]

    @property
    def time_is_up(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.deadline

    @abstractmethod
    def nodes(self) -> Sequence[Amounts]:
        """What each machine has: a task must fit on one of them."""

    @abstractmethod
    def free(self) -> Amounts:
        """What is not taken by tasks that were submitted."""

    def placement(self, want: Amounts) -> Placement:
        """Where a task goes; `aside` while no machine could hold it, lest it should keep others from running."""
        return "here" if any(not missing_resources(want, node) for node in self.nodes()) else "aside"

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Take a task; whoever calls has seen that it fits on what is free."""

    @abstractmethod
    def wait(self, board: ProgressBoard) -> list[Finished]:
        """What is over by now, waited for a little; an engine without workers does the work here.

        Tells the board how running folds advance.
        """

    @abstractmethod
    def cancel(self, group: str) -> None:
        """End what was submitted of a group of tasks; what has come of it already may still be handed back."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether a submitted task is not over yet."""

    @abstractmethod
    def in_use(self) -> Amounts:
        """What the tasks occupy that run."""

    def usage(self) -> str:
        """How much of the machines is at work, in words."""
        have, in_use = total(self.nodes()), self.in_use()
        shown = [name for name in (CPU, GPU) if have.get(name)]
        return ", ".join(f"{in_use.get(name, 0):g} of {have[name]:g} {name}s" for name in shown) + " at work"

    def slots(self) -> float:
        """CPUs of all machines."""
        return total(self.nodes()).get(CPU, 1.0)

    def span(self, jobs: Sequence[Job]) -> float:
        """Seconds from the first of some tasks to the last, if nothing else runs."""
        return makespan(jobs, self.nodes())

    def fit_to_hardware(self, members: Iterable[MemberSettings]) -> tuple[list[MemberSettings], dict[str, str]]:
        """Members as they can run here, and for the others one sentence that says why they cannot.

        A member that asks for a GPU runs on the CPU where there is none, unless it says `without_gpu: fail` or `wait`.
        """
        nodes = self.nodes()
        able: list[MemberSettings] = []
        unable: dict[str, str] = {}
        for member in members:
            fold, features = (_settled(each, nodes) for each in (member.resources, member.features_resources))
            missing = [each for each in (fold, features) if not self._possible(each, nodes)]
            if missing:
                have = "; ".join(dict.fromkeys(format_resources(node) for node in nodes))
                asked = format_resources(requested(missing[0]))
                unable[member.name] = f"asks for {asked}, and no node has that much ({have}); change resources"
            else:
                able.append(member.model_copy(update={"resources": fold, "features_resources": features}))
        return able, unable

    def _possible(self, resources: Resources, nodes: Sequence[Amounts]) -> bool:
        if self.grows and resources.without_gpu == "wait":
            return True
        return any(not missing_resources(requested(resources), node) for node in nodes)

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: B027  an engine without workers has nothing to release
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the workers."""


def _settled(resources: Resources, nodes: Sequence[Amounts]) -> Resources:
    """Without the GPU where there is none and the member can do without."""
    if resources.without_gpu == "use_cpu" and not any(node.get(GPU) for node in nodes):
        return resources.model_copy(update={"num_gpus": 0})
    return resources
