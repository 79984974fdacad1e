"""The interface of every engine: take tasks that fit on what is free, and return the outcomes."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from ensemble.config.members import MemberSettings, Resources
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.storage.array_file import ArrayFile
from ensemble.engine.resources import CPU, GPU, Amounts, Job, fits, format_resources, makespan, requested, total
from ensemble.engine.task_queue import Placement
from ensemble.engine.tasks.base import Outcome, Task

if TYPE_CHECKING:
    from typing import Self


class Engine(ABC):
    """Engine that runs tasks. Use it as a context manager, so that its workers end with the block.

    Attributes
    ----------
    name : str
        As `--engine` takes it.
    has_workers : bool
        Whether tasks run in processes other than this one.
    grows : bool
        Whether nodes may join while it runs.
    shared : dict of arrays
        Arrays that tasks read: photographs, labels, folds, tables of features.
    deadline : float
        Of `time.monotonic`; tasks that run then are ended.
    """

    name: ClassVar[str]
    has_workers: ClassVar[bool] = True
    grows = False

    def __init__(self) -> None:
        self.shared: dict[str, Any] = {}  # by key
        self.deadline = math.inf

    def share(self, key: str, array: NDArray[Any] | ArrayFile) -> None:
        """Offer an array to the tasks that name it."""
        self.shared[key] = array

    def unshare(self, key: str) -> None:
        """Drop an array that no task names any more."""
        self.shared.pop(key, None)

    @property
    def time_is_up(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.deadline

    @abstractmethod
    def nodes(self) -> Sequence[Amounts]:
        """Return the resources of each node: a task must fit on one of them."""

    @abstractmethod
    def free(self) -> Amounts:
        """Return the resources that no submitted task occupies."""

    @abstractmethod
    def in_use(self) -> Amounts:
        """Return the resources that running tasks occupy."""

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Take a task that fits on what is free."""

    @abstractmethod
    def wait(self, board: ProgressBoard) -> list[Outcome]:
        """Wait a little, and return the outcomes since the last call; running folds report to the board.

        An engine without workers runs the submitted task here.
        """

    @abstractmethod
    def cancel(self, group: str) -> None:
        """End the submitted tasks of a group; outcomes that exist already may still be returned."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether the outcome of a submitted task is to come."""

    def placement(self, request: Amounts) -> Placement:
        """Return where a task goes; `aside` while no node could hold it, so that it does not hold up others."""
        return "here" if fits(request, self.nodes()) else "aside"

    def usage(self) -> str:
        """Return how much of the nodes is in use, for messages."""
        have, in_use = total(self.nodes()), self.in_use()
        shown = [name for name in (CPU, GPU) if have.get(name)]
        return ", ".join(f"{in_use.get(name, 0):g} of {have[name]:g} {name}s" for name in shown) + " in use"

    def slots(self) -> float:
        """Return the CPUs of all nodes."""
        return total(self.nodes()).get(CPU, 1.0)

    def slots_of(self, resources: Resources) -> float:
        """Return how many of the slots a task takes up: as large a share as it needs of what is scarcest."""
        have = total(self.nodes())
        shares = [amount / have[name] for name, amount in requested(resources).items() if have.get(name)]
        return self.slots() * max(shares, default=0.0)

    def span(self, jobs: Sequence[Job]) -> float:
        """Return the seconds from the start of the first job to the end of the last, if nothing else runs."""
        return makespan(jobs, self.nodes())

    def fit_to_hardware(self, members: Iterable[MemberSettings]) -> tuple[list[MemberSettings], dict[str, str]]:
        """Return members as they can run here, and for the others one sentence that says why they cannot.

        A member that requests a GPU runs on the CPU where there is none, unless it says `without_gpu: fail` or `wait`.
        """
        nodes = self.nodes()
        able: list[MemberSettings] = []
        unable: dict[str, str] = {}
        for member in members:
            fold, features = (_adapted(each, nodes) for each in (member.resources, member.features_resources))
            missing = [each for each in (fold, features) if not self._possible(each, nodes)]
            if missing:
                have = "; ".join(dict.fromkeys(format_resources(node) for node in nodes))
                amounts = format_resources(requested(missing[0]))
                unable[member.name] = f"requests {amounts}, and no node has that much ({have}); change resources"
            else:
                able.append(member.model_copy(update={"resources": fold, "features_resources": features}))
        return able, unable

    def _possible(self, resources: Resources, nodes: Sequence[Amounts]) -> bool:
        return (self.grows and resources.without_gpu == "wait") or fits(requested(resources), nodes)

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: B027  an engine without workers has nothing to release
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the workers."""


def _adapted(resources: Resources, nodes: Sequence[Amounts]) -> Resources:
    """Return resources without the GPU where there is none and the member can do without."""
    if resources.without_gpu == "use_cpu" and not any(node.get(GPU) for node in nodes):
        return resources.model_copy(update={"num_gpus": 0})
    return resources
