"""Doing the plan: whatever is urgent and fits runs; each fold is stored as soon as it comes home, and told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.dataset import Competition
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import is_right
from ensemble.core.storage.files import Location, write_text
from ensemble.engine.agenda import work_off
from ensemble.engine.base import Engine, Finished
from ensemble.engine.tasks.base import Features, FeatureTask, FoldTask
from ensemble.engine.tasks.failures import Ended, Failure
from ensemble.engine.tasks.fold import FoldResult
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore
from ensemble.training.budget import Budget, Limits
from ensemble.training.plan import Plan
from ensemble.training.run_log import note_run
from ensemble.training.selection import Selection
from ensemble.training.speeds import speeds_of
from ensemble.training.timeline import Timeline
from ensemble.training.work import Work


class Execution:
    """One run of the folds that are missing.

    Parameters
    ----------
    stored : callable
        Called after each fold that was stored.
    """

    def __init__(
        self,
        plan: Plan,
        competition: Competition,
        ledger: FoldLedger,
        store: OofStore,
        engine: Engine,
        board: ProgressBoard,
        stored: Callable[[], None],
    ) -> None:
        self.plan, self.competition, self.ledger, self.store = plan, competition, ledger, store
        self.engine, self.board, self.stored = engine, board, stored
        self.speeds = speeds_of(store, [member.name for member in plan.members], ledger.n_folds)
        self.timeline = Timeline()
        self.complete = True

    def run(self, pixels: NDArray[np.uint8], limits: Limits) -> bool:
        """Bring every missing fold into the store that the budget has room for; returns whether none of them failed.

        `pixels` are the decoded photographs, uint8 (photographs, height, width, 3), training rows first.
        """
        cache, timeout = self.store.feature_cache, limits.timeout
        self.work = Work(self.plan, pixels, self.ledger, self.engine, self.board, self.speeds, cache, timeout)
        with self.board:
            self._begin(limits.budget)
            for finished in work_off(self.work.agenda, self.engine, self.board):
                self.timeline.note(finished)
                self._settle(finished)
        if self.engine.time_is_up:
            done = any(entry["outcome"] == "done" for entry in self.timeline.entries)
            how = "run the same command to go on" if done else "give it more time"
            self.board.log(f"the time is up; what is finished is kept, {how}")
        return self.complete

    def _begin(self, budget: Budget) -> None:
        """Every member that can run here, as far as the time allows."""
        self.board.slots = self.engine.slots()
        able, unable = self.engine.fit_to_hardware(self.plan.members)
        for name, reason in unable.items():
            self.board.log(f"{name} cannot run: {reason}")
            self.complete = False
        for member, fold in self.plan.kept:
            self.board.add(f"{member.name}/fold-{fold}", member.name, 0, kept=True)
        self.selection = Selection(able, self.plan.whole, self.work, self.engine, self.board, budget)
        self.selection.begin()

    def _settle(self, finished: Finished) -> None:
        """Keep what came of a task, or tell why nothing did."""
        task, value = finished.task, finished.value
        if isinstance(task, FeatureTask) and isinstance(value, Features):
            self.work.accept(task, value)
        elif isinstance(task, FeatureTask) and isinstance(value, Failure) and not isinstance(value, Ended):
            self._lose_features(task, value)
        elif isinstance(task, FoldTask) and isinstance(value, FoldResult):
            self._keep(task, value)
        elif isinstance(task, FoldTask) and isinstance(value, Ended):
            self.board.ended(task.title)
        elif isinstance(task, FoldTask) and isinstance(value, Failure):
            log = self._log(self.store.log_file(task.member.name, task.fold), value)
            self.board.failed(task.title, f"{value.cause} ({log})")
            self.selection.fold_over(task.member.name)

    def _keep(self, task: FoldTask, result: FoldResult) -> None:
        """Store a fold, tell how good it is, and remember how long it took."""
        table = self.work.tables.get(task.table)
        cost = table.seconds_per_photograph if table else 0.0
        provenance = self.plan.provenance[task.member.name]
        try:
            self.store.write(result, provenance, self.ledger, self.competition.sample, cost)
        except OSError as error:  # a full disk, say: what is finished later may fit again
            self.complete = False
            self.board.failed(task.title, f"it could not be stored: {error}")
            self.selection.fold_over(task.member.name)
            return
        seconds = result.finished - result.started
        self.speeds.measured(task.group, seconds)
        self.work.agenda.sort_in(task.group)
        right = is_right(result.heldout, self.ledger.labels[self.ledger.heldout(task.fold)]).mean()
        note = f"; {result.model_note}" if result.model_note else ""
        self.board.finished(task.title, seconds, f"held-out accuracy {right:.4f}{note}")
        self.selection.fold_over(task.member.name)
        self.stored()

    def _lose_features(self, task: FeatureTask, failure: Failure) -> None:
        """A transformer of any package may do anything: it costs its own members only."""
        readers = self.work.readers(task.key)
        for member in readers:
            log = self._log(self.store.member_folder(member.name) / "features.error.txt", failure)
            self.board.lost(member.name, f"its features raised {failure.cause} ({log})")
            self.work.lose(member.name)
        self.selection.lost(member.name for member in readers)  # all at once: a review may begin and give up members

    def _log(self, log: Location, failure: Failure) -> str:
        """Keep a traceback; says where it is, or why it could not be kept."""
        self.complete = False
        try:
            write_text(log, failure.traceback)
        except (OSError, UserError) as error:
            return f"its traceback could not be written: {error}"
        return f"traceback in {log}"


def train_missing(
    execution: Execution, pixels: NDArray[np.uint8], engine_name: str, limits: Limits, started: float
) -> bool:
    """Do a plan, and note in the store what the run since `started` cost; returns whether no fold failed."""
    try:
        return execution.run(pixels, limits)
    finally:  # of a run that was interrupted too
        board, plan = execution.board, execution.plan
        note_run(execution.store, started, engine_name, board.slots, plan, execution.timeline)
