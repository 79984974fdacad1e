"""What every engine offers: feature chunks and folds in, results out in the order in which they are finished."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ensemble.config import MemberSettings, Recipe, Resources
from ensemble.engine.task import FoldTask
from ensemble.oof import FoldResult
from ensemble.progress import Board

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class FoldFailure:
    """A fold that did not come home: the cause in one sentence, and the whole traceback."""

    member: str
    fold: int
    cause: str
    traceback: str


@dataclass(frozen=True)
class Workload:
    """Everything that fold tasks need: the tasks, the shared tables by key (None: the photographs), the labels.

    Attributes
    ----------
    tasks : sequence of FoldTask
        In the order in which they are to begin.
    timeout : float
        Seconds that a fold may run; a longer one is ended and reported.
    """

    tasks: Sequence[FoldTask]
    tables: dict[str | None, NDArray[Any]]
    table_of: dict[str, str | None]
    labels: NDArray[np.int64]
    timeout: float = math.inf


@dataclass(frozen=True)
class Node:
    """What one machine has. Memory is infinite where nobody counts it."""

    cpus: float
    gpus: float = 0.0
    memory_gib: float = math.inf

    def holds(self, wants: Resources) -> bool:
        """Whether a task with these wants fits on the empty node."""
        return (
            wants.num_cpus <= self.cpus and wants.num_gpus <= self.gpus and (wants.memory_gib or 0) <= self.memory_gib
        )

    def __str__(self) -> str:
        memory = f", {self.memory_gib:.1f} GiB" if math.isfinite(self.memory_gib) else ""
        return f"{self.cpus:g} CPUs, {self.gpus:g} GPUs{memory}"


def _spoken(wants: Resources) -> str:
    memory = f", {wants.memory_gib:g} GiB" if wants.memory_gib else ""
    return f"{wants.num_cpus} CPUs, {wants.num_gpus:g} GPUs{memory}"


class Engine(ABC):
    """Runs tasks. Use it as a context manager, so that its workers end with the block."""

    @abstractmethod
    def features(
        self, recipe: Recipe, photographs: NDArray[np.uint8], chunks: Sequence[slice]
    ) -> Iterator[tuple[int, NDArray[np.float32], float]]:
        """Yield (index of the chunk, its features, seconds), in any order."""

    @abstractmethod
    def folds(self, work: Workload, board: Board) -> Iterator[FoldResult | FoldFailure]:
        """Yield each fold as it is finished. A failure does not stop the others."""

    @abstractmethod
    def nodes(self) -> list[Node]:
        """What each node has: a task must fit on one of them."""

    @abstractmethod
    def slots(self) -> float:
        """CPUs of all nodes."""

    def fit_to_hardware(self, members: Iterable[MemberSettings]) -> tuple[list[MemberSettings], dict[str, str]]:
        """Members as they can run here, and for the others one sentence that says why they cannot.

        A member that asks for a GPU runs on the CPU where there is none, unless it says `without_gpu: fail`.
        """
        nodes = self.nodes()
        no_gpu = not any(node.gpus for node in nodes)
        able: list[MemberSettings] = []
        unable: dict[str, str] = {}
        for member in members:
            wants = member.resources
            if no_gpu and wants.without_gpu == "use_cpu":
                wants = wants.model_copy(update={"num_gpus": 0})
            if any(node.holds(wants) for node in nodes):
                able.append(member.model_copy(update={"resources": wants}))
            else:
                have = "; ".join(dict.fromkeys(str(node) for node in nodes))
                unable[member.name] = f"asks for {_spoken(wants)}, and no node has that much ({have}); change resources"
        return able, unable

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: B027  an engine without workers has nothing to release
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the workers."""
