"""The stored model of one fold, applied to rows that it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.config.members import MemberSettings, Resources
from ensemble.core.storage.files import folder_content
from ensemble.core.threads import threads
from ensemble.engine.recipes.build import import_object
from ensemble.engine.recipes.code import check_code
from ensemble.engine.recipes.saving import model_of_files
from ensemble.engine.tasks.base import Report, Shared, Task, fake_probability
from ensemble.engine.tasks.output import printed


@dataclass(frozen=True)
class StoredModel:
    """A model of a store: its member, cut and fold, the hash of the member's code, and the folder of its files."""

    member: MemberSettings
    cut: int
    fold: int
    code: str
    folder: str


@dataclass(frozen=True)
class InferenceTask(Task):
    """Inference of a stored model.

    Attributes
    ----------
    table : str
        Key of the shared array that holds the rows: photographs, or the features that the member reads.
    source : str
        Key of the photographs; tasks of one member about the same photographs are a group.
    """

    model: StoredModel
    table: str
    rows: NDArray[np.intp]
    source: str
    index: int = 0

    @property
    def title(self) -> str:
        """Group, cut, fold, and number of the chunk."""
        return f"{self.group}/cut-{self.model.cut}/fold-{self.model.fold}/chunk-{self.index}"

    @property
    def group(self) -> str:
        """Photographs and member."""
        return f"inference/{self.source}/{self.model.member.name}"

    @property
    def resources(self) -> Resources:
        """Resources of the member's folds."""
        return self.model.member.resources

    def pick(self, shared: Shared) -> list[Any]:
        """Return the rows, and the model's files by name: the driver reads them, a worker need not reach the store."""
        return [shared[self.table][self.rows], folder_content(Path(self.model.folder))]

    def prepare(self) -> None:
        """Import the member's code, and check that it is the one that trained the model."""
        check_code(self.model.member.recipe, self.model.code)
        import_object(self.model.member.model.use)

    def run(self, inputs: list[Any], report: Report) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the probability of fake (rows,)."""
        rows, files = inputs
        with threads(self.resources.num_cpus), printed():
            return fake_probability(model_of_files(files, import_object(self.model.member.model.use)), rows)
