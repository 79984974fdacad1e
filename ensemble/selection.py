"""Which members run: all, or with a budget those that fit, looked at anew whenever more is known of their speed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.budget import Budget, by_gain, that_fit
from ensemble.config import MemberSettings
from ensemble.durations import spoken
from ensemble.engine import Engine
from ensemble.engine.amounts import wants
from ensemble.engine.span import Job
from ensemble.engine.task import FOLDS, LABELS, PHOTOGRAPHS, Pilot, PilotTask
from ensemble.progress import Board
from ensemble.schedule import Agenda, work_off
from ensemble.work import Work

_SPARE = 0.9  # of the time left may be promised to a member that has not begun: guesses are off by some tenths
_PILOT_ROWS, _PILOT_SHARE, _PILOT_ROWS_AT_MOST = 60, 0.01, 240
_PILOT_SECONDS = 0.1  # of the time left; a member whose pilot takes longer does not fit


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
        board: Board,
        budget: Budget,
    ) -> None:
        self.members, self.there = list(members), list(there)
        self.work, self.engine, self.board, self.budget = work, engine, board, budget
        self._done: dict[str, int] = {}
        self._given_up: set[str] = set()

    def begin(self) -> None:
        """Begin all members; with a budget those that fit, after pilots of those that nobody has measured."""
        if not self.budget.limited:
            for member in self.members:
                self._begin(member)
            return
        self.engine.deadline = self.budget.deadline
        self._send_pilots([member for member in self.members if not self.work.speeds.known(member.name)])
        self.review()
        self._tell()

    def fold_done(self, name: str) -> None:
        """A fold of a member is stored."""
        self._done[name] = self._done.get(name, 0) + 1
        self.review()

    def lost(self, name: str) -> None:
        """A member cannot be finished in this run."""
        self._given_up.add(name)

    def review(self) -> None:
        """With what is known by now, begin what fits, and give up what does not."""
        if not self.budget.limited or self.engine.time_is_up:
            return
        begun = [member.name for member in self._open() if self._has_begun(member)]
        order = by_gain(self._open(), begun, self.there)
        chosen = {member.name for member in that_fit(order, self._jobs, self.engine.span, self._limit)}
        for member in self._open():
            if member.name in self.work.members and member.name not in chosen:
                self._give_up(member)
            elif member.name in chosen and member.name not in self.work.members:
                self._begin(member)

    @property
    def left_out(self) -> list[MemberSettings]:
        """Members for which there is no time."""
        return [member for member in self.members if member.name not in self.work.members]

    def _open(self) -> list[MemberSettings]:
        """Members with folds that are not done."""
        return [m for m in self.members if m.name not in self._given_up and self._done.get(m.name, 0) < self._folds(m)]

    def _folds(self, member: MemberSettings) -> int:
        return len(self.work.folds(member))

    def _has_begun(self, member: MemberSettings) -> bool:
        kept = any(other.name == member.name for other, _ in self.work.plan.kept)
        return kept or self._done.get(member.name, 0) > 0 or self.board.is_running(member.name)

    def _limit(self, member: MemberSettings) -> float:
        return self.budget.left * (1 if self._has_begun(member) else _SPARE)

    def _jobs(self, member: MemberSettings) -> list[Job]:
        """What is still to be done for a member: chunks of its features that nobody has computed, and its folds."""
        speeds, name = self.work.speeds, member.name
        fold = speeds.fold(name)
        chunks = [
            (speeds.photograph(name) * photographs, wants(member.features_resources))
            for photographs in self.work.chunks_to_come(member)
        ]
        folds = [(self.board.seconds_of(task.title, fold), wants(task.resources)) for task in self.work.folds(member)]
        return [*chunks, *folds]

    def _begin(self, member: MemberSettings) -> None:
        for task in self.work.folds(member):
            expected = self.work.speeds.fold(member.name)
            self.board.add(task.title, task.group, task.resources.num_cpus, expected)
        self.work.begin(member)

    def _give_up(self, member: MemberSettings) -> None:
        if self._has_begun(member):
            self._given_up.add(member.name)
            self.board.say(f"{member.name} is given up: it would not be finished in time; its finished folds are kept")
        self.board.forget(member.name)
        self.work.lose(member.name)

    def _send_pilots(self, members: list[MemberSettings]) -> None:
        """Guess the speed of members from a few photographs."""
        if not members:
            return
        self.board.say(
            f"trying {', '.join(member.name for member in members)} on a few photographs, to see how long they take"
        )
        rows = pilot_rows(self.engine.shared[LABELS], self.engine.shared[FOLDS])
        agenda = Agenda(lambda _: 0.0)
        agenda.add(PilotTask(member, rows, self.budget.left * _PILOT_SECONDS) for member in members)
        for finished in work_off(agenda, self.engine, self.board):
            if isinstance(finished.value, Pilot) and isinstance(finished.task, PilotTask):
                self._learn(finished.task.member.name, finished.value)

    def _learn(self, name: str, pilot: Pilot) -> None:
        photographs, folds = self.engine.shared[PHOTOGRAPHS], self.engine.shared[FOLDS]
        held_out = len(folds) / (folds.max() + 1)
        training, predicted = len(folds) - held_out, held_out + len(photographs) - len(folds)
        self.work.speeds.guess(name, pilot.fold(training, predicted), pilot.features)

    def _tell(self) -> None:
        """What was chosen, and how long it is likely to take."""
        chosen = [member.name for member in self.members if member.name in self.work.members]
        jobs = [job for member in self.members if member.name in self.work.members for job in self._jobs(member)]
        span, left = self.engine.span(jobs), self.budget.left
        self.board.say(f"in {spoken(left)}: {', '.join(chosen) or 'no member'}, about {spoken(span)}")
        for member in self.left_out:
            alone = self.engine.span(self._jobs(member))
            takes = f"about {spoken(alone)} by itself" if math.isfinite(alone) else "nobody knows how long"
            self.board.say(f"  left out: {member.name} ({takes})")


def pilot_rows(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.intp]:
    """A few training rows of fold 0, real and fake in turns."""
    count = min(max(_PILOT_ROWS, int(len(labels) * _PILOT_SHARE)), _PILOT_ROWS_AT_MOST)
    each = [np.flatnonzero((labels == label) & (folds != 0))[: count // 2] for label in (0, 1)]
    shorter = min(map(len, each))
    return np.stack([rows[:shorter] for rows in each], axis=1).ravel()
