"""Which members run: all, or with a budget those that fit, looked at anew whenever more is known of their speed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.config import MemberSettings
from ensemble.core.console.durations import format_duration
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.agenda import Agenda, work_off
from ensemble.engine.base import Engine
from ensemble.engine.resources import requested
from ensemble.engine.span import Job
from ensemble.engine.tasks.base import FOLDS, LABELS, PHOTOGRAPHS, Pilot, PilotTask
from ensemble.engine.tasks.failures import Failure
from ensemble.training.budget import Budget, all_jobs, by_gain, that_fit
from ensemble.training.work import Work

_SPARE = 0.9  # of the time left may be promised to a member that has not begun: guesses are off by some tenths
_WORKERS_START = 30.0  # seconds until the first task begins, on a slow machine whose members import PyTorch
_PILOT_SHARE = 0.1  # of the time left, for all pilots together
_PILOT_ROWS, _PILOT_ROWS_SHARE, _PILOT_ROWS_AT_MOST = 60, 0.01, 240


class Selection:
    """Begins members, and gives up those that would not be finished in time.

    Parameters
    ----------
    members : list of MemberSettings
        Those with folds to train that can run here.
    there : list of MemberSettings
        Members of the same experiment that are finished.
    """

    def __init__(
        self,
        members: Sequence[MemberSettings],
        there: Iterable[MemberSettings],
        work: Work,
        engine: Engine,
        board: ProgressBoard,
        budget: Budget,
    ) -> None:
        self.members, self.there = list(members), list(there)
        self.work, self.engine, self.board, self.budget = work, engine, board, budget
        self._over: dict[str, int] = {}  # folds that are stored or failed
        self._given_up: set[str] = set()
        self._unknown: set[str] = set()  # whose pilots failed

    def begin(self) -> None:
        """Begin all members; with a budget those that fit, after pilots of those that nobody has measured."""
        if not self.budget.limited:
            for member in self.members:
                self._begin(member)
            return
        self._send_pilots([member for member in self.members if not self.work.speeds.known(member.name)])
        self.review()
        self._tell()

    def fold_over(self, name: str) -> None:
        """A fold of a member is stored, or failed."""
        self._over[name] = self._over.get(name, 0) + 1
        self.review()

    def lost(self, names: Iterable[str]) -> None:
        """Members cannot be finished in this run."""
        self._given_up.update(names)
        self.review()

    def review(self) -> None:
        """With what is known by now, begin what fits, and give up what does not while something else does.

        What no pilot could measure begins when all else is done: its first fold tells.
        """
        if not self.budget.limited or self.engine.time_is_up:
            return
        begun = [member.name for member in self._open() if self._has_begun(member)]
        order = by_gain(self._open(), begun, self.there)
        chosen = that_fit(order, self._jobs, self.engine.span, self._limit)
        chosen = chosen or [member for member in order if member.name in begun or member.name in self._unknown][:1]
        names = {member.name for member in chosen}
        for member in order:
            if member.name in self.work.members and member.name not in names:
                self._give_up(member)
            elif member.name in names and member.name not in self.work.members:
                self._begin(member)

    @property
    def left_out(self) -> list[MemberSettings]:
        """Members for which there is no time."""
        return [member for member in self.members if member.name not in self.work.members]

    def _open(self) -> list[MemberSettings]:
        """Members with folds that are still to be done."""
        mine = (member for member in self.members if member.name not in self._given_up)
        return [member for member in mine if self._over.get(member.name, 0) < len(self.work.folds(member))]

    def _has_begun(self, member: MemberSettings) -> bool:
        kept = any(other.name == member.name for other, _ in self.work.plan.kept)
        return kept or self._over.get(member.name, 0) > 0 or self.board.is_running(member.name)

    def _limit(self, member: MemberSettings) -> float:
        return self.budget.left * (1 if self._has_begun(member) else _SPARE)

    def _jobs(self, member: MemberSettings, with_features: bool = True) -> list[Job]:
        """What is still to be done for a member: chunks of its features that nobody has computed, and its folds."""
        speeds, name = self.work.speeds, member.name
        fold = speeds.fold(name)
        chunks = [
            (speeds.photograph(name) * photographs, requested(member.features_resources))
            for photographs in self.work.chunks_to_come(member)
        ]
        folds = [
            (self.board.seconds_of(task.title, fold), requested(task.resources)) for task in self.work.folds(member)
        ]
        return [*(chunks if with_features else []), *folds]

    def _begin(self, member: MemberSettings) -> None:
        for task in self.work.folds(member):
            expected = self.work.speeds.fold(member.name)
            self.board.add(task.title, task.group, task.resources.num_cpus, expected)
        self.work.begin(member)

    def _give_up(self, member: MemberSettings) -> None:
        if self._has_begun(member):
            self._given_up.add(member.name)
            self.board.log(f"{member.name} is given up: it would not be finished in time; its finished folds are kept")
        self.board.forget(member.name)
        self.work.lose(member.name)

    def _send_pilots(self, members: list[MemberSettings]) -> None:
        """Guess the speed of members from a few photographs; workers that start have their time besides."""
        if not members:
            return
        ordered = by_gain(members, [], self.there)
        names = ", ".join(member.name for member in ordered)
        self.board.log(f"trying {names} on a few photographs, to see how long a fold takes")
        rows = pilot_rows(self.engine.shared[LABELS], self.engine.shared[FOLDS])
        agenda = Agenda(lambda _: 0.0)
        left = self.budget.left
        each = left * _PILOT_SHARE * min(self.engine.slots() / len(members), 1)
        agenda.add(PilotTask(member, rows, each) for member in ordered)
        self.engine.deadline = time.monotonic() + min(max(left * _PILOT_SHARE, _WORKERS_START), left / 2)
        for finished in work_off(agenda, self.engine, self.board):
            if isinstance(finished.task, PilotTask):
                self._learn(finished.task.member.name, finished.value)
        self.engine.deadline = self.budget.deadline

    def _learn(self, name: str, found: object) -> None:
        """From a pilot's end. One that was cut short may be slow, one that failed have had too few photographs."""
        if isinstance(found, Failure):
            self._unknown.add(name)
            self.board.log(f"  {name} could not be tried: {found.cause}")
        elif isinstance(found, Pilot):
            photographs, folds = self.engine.shared[PHOTOGRAPHS], self.engine.shared[FOLDS]
            held_out = len(folds) / (folds.max() + 1)
            training, predicted = len(folds) - held_out, held_out + len(photographs) - len(folds)
            self.work.speeds.guess(name, found.fold(training, predicted), found.features)

    def _tell(self) -> None:
        """What was chosen, and how long it is likely to take."""
        chosen = [member.name for member in self.members if member.name in self.work.members]
        begun = [member for member in self.members if member.name in self.work.members]
        takes = self.engine.span(all_jobs(begun, self._jobs))
        names = ", ".join(chosen) or "no member"
        self.board.log(f"in {format_duration(self.budget.left)}: {names}, about {format_duration(takes)}")
        for member in self.left_out:
            alone = self.engine.span(self._jobs(member))
            unknown = "nobody knows how long; it begins if time is left"
            long = f"about {format_duration(alone)} by itself" if math.isfinite(alone) else unknown
            self.board.log(f"  left out: {member.name} ({long})")


def pilot_rows(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.intp]:
    """A few of the rows that fold 0 learns from, real and fake in turns."""
    count = min(max(_PILOT_ROWS, int(len(labels) * _PILOT_ROWS_SHARE)), _PILOT_ROWS_AT_MOST)
    each = [np.flatnonzero((labels == label) & (folds != 0))[: count // 2] for label in (0, 1)]
    shorter = min(map(len, each))
    return np.stack([rows[:shorter] for rows in each], axis=1).ravel()
