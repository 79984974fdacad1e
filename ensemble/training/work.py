"""What a run has to do: chunks of features first, then the folds that read them, all members on one agenda."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.config import MemberSettings
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.storage.files import Location
from ensemble.engine.agenda import Agenda
from ensemble.engine.base import Engine
from ensemble.engine.features.table import FeatureLine, FeatureWork, chunk_sizes, content_keys
from ensemble.engine.tasks.base import FOLDS, LABELS, PHOTOGRAPHS, Features, FeatureTask, FoldTask, Task
from ensemble.folds.ledger import FoldLedger
from ensemble.training.plan import Plan
from ensemble.training.speeds import Speeds


class Work:
    """The tasks of members that have begun. There is no barrier: each does what it can as soon as it can.

    Parameters
    ----------
    photographs : uint8 (photographs, height, width, 3)
        Training rows first.
    cache : path
        Where feature tables of all experiments are cached.
    timeout : float
        Seconds after which a fold is ended.
    """

    def __init__(
        self,
        plan: Plan,
        photographs: NDArray[np.uint8],
        ledger: FoldLedger,
        engine: Engine,
        board: ProgressBoard,
        speeds: Speeds,
        cache: Location,
        timeout: float,
    ) -> None:
        self.plan, self.engine, self.board, self.speeds = plan, engine, board, speeds
        self.cache, self.timeout = cache, timeout
        self.agenda = Agenda(self._urgency)
        self.members: dict[str, MemberSettings] = {}
        self.tables: dict[str, FeatureWork] = {}
        self._photographs = photographs
        self._content: list[str] = []
        for key, array in ((PHOTOGRAPHS, photographs), (LABELS, ledger.labels), (FOLDS, ledger.folds)):
            engine.share(key, array)

    def begin(self, member: MemberSettings) -> None:
        """Put a member's folds on the agenda, or before them the features that it reads."""
        self.members[member.name] = member
        key = self.plan.features[member.name]
        if member.features is None or key is None:
            self.agenda.add(self.folds(member))
        elif key in self.tables:
            self.agenda.add(self.folds(member) if self.tables[key].complete else [])
        else:
            self._content = self._content or content_keys(self._photographs)
            report, resources = FeatureLine(member.features.use, self.board), member.features_resources
            table = FeatureWork(member.features, key, self._photographs, self._content, self.cache, resources, report)
            self.tables[key] = table
            self.agenda.add(table.missing)
            self._offer(table)

    def accept(self, task: FeatureTask, features: Features) -> None:
        """Take a chunk of features; when it was the last one, the folds that waited for the table begin."""
        table = self.tables[task.key]
        told = table.uncached is not None
        table.accept(task, features)
        if table.uncached is not None and not told:
            self.board.log(f"features {task.recipe.use} cannot be kept for other runs: {table.uncached}")
        self._offer(table)

    def lose(self, name: str) -> None:
        """Do nothing more for a member, nor for features that nobody else asks for."""
        del self.members[name]
        self._end(name)
        key = self.plan.features[name]
        if key in self.tables and not self.readers(key):
            self._end(*{task.group for task in self.tables[key].missing})
            del self.tables[key]

    def chunks_to_come(self, member: MemberSettings) -> list[int]:
        """Photographs in each chunk of a member's features that is not there; in all if nobody has looked yet."""
        key = self.plan.features[member.name]
        if key is None:
            return []
        return self.tables[key].to_come if key in self.tables else chunk_sizes(len(self._photographs))

    def readers(self, key: str) -> list[MemberSettings]:
        """Members that read a feature table."""
        return [member for member in self.members.values() if self.plan.features[member.name] == key]

    def folds(self, member: MemberSettings) -> list[FoldTask]:
        """The missing folds of a member as it can run here."""
        name = member.name
        code, table = self.plan.provenance[name].code, self.plan.features[name] or PHOTOGRAPHS
        folds = [fold for other, fold in self.plan.missing if other.name == name]
        return [FoldTask(member, fold, code, table, self.timeout) for fold in folds]

    def _offer(self, table: FeatureWork) -> None:
        if table.complete:
            self.engine.share(table.key, table.values())
            for member in self.readers(table.key):
                self.agenda.add(self.folds(member))

    def _end(self, *groups: str) -> None:
        for group in groups:
            self.agenda.drop(group)
            self.engine.cancel(group)

    def _urgency(self, task: Task) -> float:
        """Seconds of a task and of what waits for it: the features still to be computed, and the longest fold after."""
        if not isinstance(task, FeatureTask):
            return self.speeds.fold(task.group)
        readers = [member.name for member in self.readers(task.key)]
        features = len(self._photographs) * max(map(self.speeds.photograph, readers), default=0.0)
        return features / self.engine.slots() + max(map(self.speeds.fold, readers), default=0.0)
