"""What every engine offers: feature chunks and folds in, results out in the order in which they are finished."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ensemble.config import MemberSettings, Recipe
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
    """Everything that fold tasks need: the tasks, the shared tables by key (None: the photographs), the labels."""

    tasks: Sequence[FoldTask]
    tables: dict[str | None, NDArray[Any]]
    table_of: dict[str, str | None]
    labels: NDArray[np.int64]


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
    def largest_node(self) -> tuple[float, float]:
        """CPUs and GPUs of the largest node: what one task can have."""

    @abstractmethod
    def slots(self) -> float:
        """CPUs of all nodes."""

    def fit_to_hardware(self, members: Iterable[MemberSettings]) -> tuple[list[MemberSettings], dict[str, str]]:
        """Members as they can run here, and for the others one sentence that says why they cannot.

        A member that asks for a GPU runs on the CPU where there is none, unless it says `without_gpu: fail`.
        """
        cpus, gpus = self.largest_node()
        able: list[MemberSettings] = []
        unable: dict[str, str] = {}
        for member in members:
            wants = member.resources
            if wants.num_cpus > cpus:
                unable[member.name] = (
                    f"asks for {wants.num_cpus} CPUs, the largest node has {cpus:g}; lower resources.num_cpus"
                )
            elif wants.num_gpus <= gpus:
                able.append(member)
            elif wants.without_gpu == "use_cpu" and gpus == 0:
                able.append(member.model_copy(update={"resources": wants.model_copy(update={"num_gpus": 0})}))
            else:
                unable[member.name] = f"asks for {wants.num_gpus:g} GPUs, the largest node has {gpus:g}"
        return able, unable

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: B027  an engine without workers has nothing to release
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the workers."""
