"""The features of one chunk of photographs."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.config.members import MemberSettings, Resources
from ensemble.config.settings import Recipe
from ensemble.core.console.text import sentence
from ensemble.core.storage.array_file import ArrayFile
from ensemble.core.threads import threads
from ensemble.engine.recipes.build import build
from ensemble.engine.recipes.code import OTHER_CODE, features_key
from ensemble.engine.tasks.base import PHOTOGRAPHS, Report, Shared, Task
from ensemble.engine.tasks.output import printed

_TOLERANCE = 1e-4  # rounding may depend on how many rows are computed together; statistics of the batch show more


@dataclass(frozen=True)
class Features:
    """Result of a feature task: float32 (photographs, columns), the seconds they took, and what a user should know."""

    values: NDArray[np.float32]
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableRequest:
    """A feature table: its recipe, the resources of a chunk, and the member that reads it.

    Attributes
    ----------
    key : str
        `features_key(recipe)` where this was made, on the driver: a copy that is sent to a worker keeps it.
    """

    recipe: Recipe
    resources: Resources = field(default_factory=Resources)
    reader: str = field(default="", compare=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", features_key(self.recipe))

    def group(self, source: str) -> str:
        """Return the group of the tasks that compute the table of the photographs `source`."""
        others = "" if source == PHOTOGRAPHS else f"/{source}"
        return f"features/{self.recipe.use.rpartition('.')[2]}-{self.key[:8]}{others}"


def table_request(member: MemberSettings, reader: str) -> TableRequest | None:
    """Return the feature table that a member reads; None for one that reads photographs."""
    return None if member.features is None else TableRequest(member.features, member.features_resources, reader)


@dataclass(frozen=True)
class FeatureTask(Task):
    """The features of the photographs in `rows` of the shared array `source`."""

    request: TableRequest
    rows: slice
    index: int
    source: str = PHOTOGRAPHS

    @property
    def title(self) -> str:
        """Group and number of the chunk."""
        return f"{self.group}/chunk-{self.index}"

    @property
    def group(self) -> str:
        """Group of the table."""
        return self.request.group(self.source)

    @property
    def resources(self) -> Resources:
        """Resources of a chunk of the table."""
        return self.request.resources

    def pick(self, shared: Shared) -> list[Any]:
        """Return the photographs of the chunk: from a file they are read where the task runs."""
        source = shared[self.source]
        if isinstance(source, ArrayFile):
            return [source.take(np.arange(self.rows.start, self.rows.stop))]
        return [source[self.rows]]

    def prepare(self) -> None:
        """Import the transformer, and check that its code is the driver's."""
        if features_key(self.request.recipe) != self.request.key:
            raise RuntimeError(OTHER_CODE)
        build(self.request.recipe)

    def run(self, inputs: list[Any], report: Report) -> Features:  # noqa: ARG002
        """Transform the photographs; the seconds do not count loading the transformer."""
        photographs = np.asarray(inputs[0])
        with threads(self.resources.num_cpus), printed(), warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("default")
            transformer = build(self.request.recipe)
            started = time.perf_counter()
            table = np.ascontiguousarray(transformer.transform(photographs), dtype=np.float32)
            seconds = time.perf_counter() - started
            last = transformer.transform(photographs[-1:])
        use = self.request.recipe.use
        if table.ndim != 2 or len(table) != len(photographs):
            raise ValueError(f"{use} gave features of shape {table.shape} for {len(photographs)} photographs")
        if not np.allclose(last, table[-1:], rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
            raise ValueError(f"{use} is not stateless: a photograph alone gives other features than among others")
        notes = [sentence(str(each.message)) for each in raised if each.category is UserWarning]
        return Features(table, seconds, tuple(dict.fromkeys(notes)))
