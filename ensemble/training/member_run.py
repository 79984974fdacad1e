"""One member in a run: its missing folds, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ensemble.config.members import MemberSettings
from ensemble.engine.tasks.base import PHOTOGRAPHS
from ensemble.engine.tasks.features import TableRequest, table_request
from ensemble.engine.tasks.fold import FoldTask
from ensemble.training.plan import Plan


@dataclass
class MemberRun:
    """A member with missing folds, as it can run here.

    Attributes
    ----------
    tasks : list of FoldTask
        Its missing folds.
    request : TableRequest or None
        The features that it reads.
    resumed : bool
        Whether some of its folds were finished by earlier runs.
    state : waiting, active or dropped
        Dropped members are given up, or their features failed.
    queued : bool
        Whether its folds are queued: those that read features wait for them.
    measured : bool
        False where its pilot failed.
    done : int
        Folds that are stored or failed.
    features_seconds : float
        Seconds that its features took for each photograph, once they are there.
    """

    member: MemberSettings
    tasks: list[FoldTask]
    request: TableRequest | None
    resumed: bool
    state: Literal["waiting", "active", "dropped"] = "waiting"
    queued: bool = False
    measured: bool = True
    done: int = 0
    features_seconds: float = 0.0

    @property
    def name(self) -> str:
        """Name of the member."""
        return self.member.name

    @property
    def open(self) -> bool:
        """Whether folds are to be done."""
        return self.state != "dropped" and self.done < len(self.tasks)


def member_run(member: MemberSettings, plan: Plan, timeout: float) -> MemberRun:
    """Return the run of a planned member, of which no fold may take more than `timeout` seconds."""
    request = table_request(member, reader=member.name)
    code, table = plan.provenance[member.name].code, request.key if request else PHOTOGRAPHS
    folds = [fold for other, fold in plan.missing if other.name == member.name]
    tasks = [FoldTask(member, fold, code, table, timeout) for fold in folds]
    return MemberRun(member, tasks, request, any(other.name == member.name for other, _ in plan.finished))
