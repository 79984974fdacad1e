"""Doing the plan: whatever is urgent and fits runs; each fold is stored as soon as it comes home, and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.competition import Competition
from ensemble.engine import Engine, Failure, Finished
from ensemble.engine.task import Features, FeatureTask, FoldTask
from ensemble.features import FeatureLine
from ensemble.files import write_text
from ensemble.folds import FoldLedger
from ensemble.metrics import is_right
from ensemble.oof import FoldResult, OofStore
from ensemble.plan import Plan
from ensemble.progress import Board
from ensemble.schedule import work_off
from ensemble.speeds import speeds_of
from ensemble.timeline import Timeline
from ensemble.work import Work

FEATURE_CACHE = ".features"


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
        board: Board,
        stored: Callable[[], None],
    ) -> None:
        self.plan, self.competition, self.ledger, self.store = plan, competition, ledger, store
        self.engine, self.board, self.stored = engine, board, stored
        self.speeds = speeds_of(store, [member.name for member in plan.members], ledger.n_folds)
        self.timeline = Timeline()
        self.complete = True

    def run(self, pixels: NDArray[np.uint8] | None, timeout: float) -> bool:
        """Bring every missing fold into the store, none of which may run longer than `timeout` seconds.

        `pixels` are the decoded photographs, if they are at hand. Returns whether no fold failed.
        """
        pixels = self.competition.decode() if pixels is None else pixels
        cache = self.store.root.parent / FEATURE_CACHE
        self.work = Work(self.plan, pixels, self.ledger, self.engine, self.speeds, cache, timeout)
        self._begin()
        with self.board:
            for finished in work_off(self.work.agenda, self.engine, self.board):
                self.timeline.note(finished)
                self._settle(finished)
        return self.complete

    def _begin(self) -> None:
        """Every member that can run here."""
        self.board.slots = self.engine.slots()
        able, unable = self.engine.fit_to_hardware(self.plan.members)
        for name, reason in unable.items():
            self.board.say(f"{name} cannot run: {reason}")
            self.complete = False
        for member, fold in self.plan.kept:
            self.board.add(f"{member.name}/fold-{fold}", member.name, 0, kept=True)
        self.lines: dict[str, FeatureLine] = {}
        for member in able:
            for task in self.work.folds(member):
                self.board.add(task.title, task.group, task.resources.num_cpus, self.speeds.fold(member.name))
            table = self.work.begin(member)
            if table is not None:
                self.lines[table.key] = FeatureLine(table.recipe.use, self.board)
                self.lines[table.key](table.done, table.photographs)

    def _settle(self, finished: Finished) -> None:
        """Keep what came of a task, or tell why nothing did."""
        task, value = finished.task, finished.value
        if isinstance(task, FeatureTask) and isinstance(value, Features):
            table = self.work.accept(task, value)
            self.lines[table.key](table.done, table.photographs)
        elif isinstance(task, FeatureTask) and isinstance(value, Failure):
            self._lose_features(task, value)
        elif isinstance(task, FoldTask) and isinstance(value, FoldResult):
            self._keep(task, value)
        elif isinstance(task, FoldTask) and isinstance(value, Failure):
            log = self._log(self.store.log_file(task.member.name, task.fold), value)
            self.board.failed(task.title, f"{value.cause} (traceback in {log})")

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
            return
        seconds = result.finished - result.started
        self.speeds.measured(task.group, seconds)
        self.work.agenda.sort_in(task.group)
        right = is_right(result.heldout, self.ledger.labels[self.ledger.heldout(task.fold)]).mean()
        note = f"; {result.model_note}" if result.model_note else ""
        self.board.finished(task.title, seconds, f"held-out accuracy {right:.4f}{note}")
        self.stored()

    def _lose_features(self, task: FeatureTask, failure: Failure) -> None:
        """A transformer of any package may do anything: it costs its own members only."""
        for member in self.work.readers(task.key):
            log = self._log(self.store.member_folder(member.name) / "features.error.txt", failure)
            self.board.lost(member.name, f"its features raised {failure.cause} (traceback in {log})")
            self.work.lose(member.name)

    def _log(self, log: Path, failure: Failure) -> Path:
        self.complete = False
        write_text(log, failure.traceback)
        return log
