"""Trials on an engine: each trains the member with other settings, one fold after the other, on folds of their own.

Every fold is stored as it is done, without its model, so that a trial which is interrupted goes on where it was.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
import optuna

from ensemble.config.members import MemberSettings
from ensemble.core.arrays import Array, Pixels
from ensemble.core.console.durations import format_duration
from ensemble.core.console.text import plural
from ensemble.core.metrics.scores import log_loss, to_logits
from ensemble.core.storage.files import write_text
from ensemble.engine.base import Engine
from ensemble.engine.features.table import FeatureTable, Photographs
from ensemble.engine.features.tables import FeatureTables
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.tasks.base import PHOTOGRAPHS, Outcome
from ensemble.engine.tasks.failures import Cancelled, Failure
from ensemble.engine.tasks.features import TableRequest, table_request
from ensemble.engine.tasks.fold import FoldTask
from ensemble.grow.search import Search
from ensemble.grow.space import with_values
from ensemble.store.context import RunContext
from ensemble.store.record import Provenance
from ensemble.training.budget import Limits
from ensemble.training.plan import provenance_of

_CHECKED: Final = 2  # members that are trained on the store's folds after the search
_MORE: Final = 1.3  # of the time that this is likely to take
_CHECK_AT_LEAST: Final = 3.0  # seconds
_ROUNDING: Final = 1e-9
_REPEATED: Final = 10  # trials in a row with settings of earlier ones: there is nothing new to try
_KEPT: Final = 2  # feature tables in memory that no running trial reads: the next ones may


@dataclass
class _Running:
    """A trial that is being computed."""

    trial: optuna.Trial
    member: MemberSettings
    provenance: Provenance
    request: TableRequest | None
    features_seconds: float = 0.0
    fold: int = 0
    losses: list[Array] = field(default_factory=list)  # of the rows of each fold
    started: float = field(default_factory=time.monotonic)
    resumed: bool = False  # an interrupted run has stored folds of it

    @property
    def loss(self) -> float:
        """Mean over the rows of all folds so far."""
        return float(np.concatenate(self.losses).mean())


class Trials:
    """Trials of a search, as many at a time as the engine has room for.

    Parameters
    ----------
    context : RunContext
        With the folds and the store of the trials.
    prefix : str
        Of the trials' names.
    most : int or None
        Trials of the study, those of earlier runs included.
    """

    def __init__(
        self,
        context: RunContext,
        search: Search,
        pixels: Pixels,
        prefix: str,
        limits: Limits,
        most: int | None,
    ) -> None:
        self._context, self._search, self._member = context, search, search.member
        self._prefix, self._limits, self._most = prefix, limits, most
        self._photographs = Photographs(pixels)
        self._pipeline = Pipeline(context.engine, context.board)
        self._tables = FeatureTables(self._pipeline, context.store.feature_cache)
        self._running: dict[str, _Running] = {}
        self._read: dict[str, TableRequest] = {}  # by key, the last one read at the end
        self._seconds: list[float] = []  # of the trials that ran here from their first fold to their last
        self._repeated = 0  # trials in a row with settings of earlier ones
        self._has_one_table = not any(path.startswith("features.") for path in self._member.tune)
        self._at_once = _at_once(context.engine, self._member)

    def run(self) -> None:
        """Try settings until the time or the number of trials is up."""
        self._context.share(self._photographs.pixels)
        with self._search.in_use():
            self._pipeline.run(self._refill)
        for request in self._read.values():
            self._tables.forget(request, self._photographs)

    def _refill(self) -> None:
        while len(self._running) < self._at_once and self._has_room():
            self._start(self._search.next())

    def _has_room(self) -> bool:
        """Return whether another trial may begin: a trial that would not be finished is not begun."""
        if self._repeated == _REPEATED:
            return False
        if self._most is not None and len(self._search) + len(self._running) >= self._most:
            return self._search.has_queued
        return self._limits.budget.left > self._seconds_of_trial + self._seconds_of_check

    @property
    def _seconds_of_trial(self) -> float:
        """Seconds of a trial; 0 where none is known."""
        return statistics.median(self._seconds) if self._seconds else 0.0

    @property
    def _seconds_of_check(self) -> float:
        """Seconds of the check that follows: its folds run side by side."""
        return max(self._seconds_of_trial * _MORE * _CHECKED / self._at_once, _CHECK_AT_LEAST)

    def _start(self, trial: optuna.Trial) -> None:
        if (equal := self._search.equal(trial)) is not None:
            self._repeat(trial, equal)
            return
        self._repeated = 0
        member = with_values(self._member, self._search.values(trial), f"{self._prefix}-{trial.number}")
        ledger, competition = self._context.ledger, self._context.competition
        provenance = provenance_of(member, ledger, competition)
        request = table_request(member, reader=self._member.name)
        running = self._running[member.name] = _Running(trial, member, provenance, request)
        while (losses := self._stored(running)) is not None:
            running.resumed = True
            if self._note(running, losses):
                return
        if running.request is None:
            self._queue(running)
            return
        self._read.pop(running.request.key, None)
        self._read[running.request.key] = running.request
        self._tables.request(running.request, self._photographs, partial(self._features_done, running))

    def _repeat(self, trial: optuna.Trial, equal: optuna.trial.FrozenTrial) -> None:
        """End a trial as an earlier one with the same settings has ended."""
        self._repeated += 1
        self._search.end_as(trial, equal)
        self._context.board.log(f"trial {trial.number}: has the settings of trial {equal.number}")
        if self._repeated == _REPEATED:
            self._context.board.log(f"{_REPEATED} trials in a row had settings of earlier ones: the search ends")

    def _stored(self, running: _Running) -> Array | None:
        """Return the losses of the rows of a trial's next fold, if it is stored."""
        store = self._context.store
        if not store.state(running.member.name, running.fold, running.provenance).is_valid:
            return None
        record = store.record(running.member.name, running.fold)
        table = None if record is None else store.predictions(record)
        if table is None:
            return None
        held_out = np.array(table["split"].to_pylist()) == "oof"
        return self._losses(running.fold, np.asarray(table["pred"])[held_out])

    def _losses(self, fold: int, probabilities: Array) -> Array:
        ledger = self._context.ledger
        return log_loss(to_logits(probabilities), ledger.labels[ledger.heldout(fold)])

    def _features_done(self, running: _Running, found: FeatureTable | Failure) -> None:
        if isinstance(found, Failure):
            self._fail(running, found, "features")
            return
        running.features_seconds = found.seconds_per_photograph
        if self._has_one_table:  # no later trial needs to wait for it
            running.started = time.monotonic()
        self._queue(running)

    def _queue(self, running: _Running) -> None:
        table = PHOTOGRAPHS if running.request is None else running.request.key
        task = FoldTask(running.member, running.fold, running.provenance.code, table, self._limits.timeout)
        self._pipeline.submit([task], partial(self._fold_done, running))

    def _fold_done(self, running: _Running, outcome: Outcome) -> None:
        if isinstance(outcome.value, Cancelled):  # the time is up: another run goes on with it
            return
        if outcome.failure:
            self._fail(running, outcome.failure, f"fold-{running.fold}")
            return
        result = replace(outcome.value, model={}, model_note="")
        store, ledger = self._context.store, self._context.ledger
        store.write(result, running.provenance, ledger, self._context.competition.sample, running.features_seconds)
        if not self._note(running, self._losses(running.fold, result.heldout)):
            self._queue(running)

    def _note(self, running: _Running, losses: Array) -> bool:
        """Note the losses of the rows of a fold; returns whether the trial has ended with it."""
        running.losses.append(losses)
        should_prune = self._search.should_prune(running.trial, running.fold, running.loss)
        running.fold += 1
        if running.fold == self._context.ledger.n_folds:
            self._search.finish(running.trial, running.loss)
            if not running.resumed:
                self._seconds.append(time.monotonic() - running.started)
            self._context.engine.deadline = self._limits.budget.deadline - self._seconds_of_check
            self._end(running, f"log loss {running.loss:.4f}{self._standing(running)}")
            return True
        if should_prune:
            self._search.prune(running.trial)
            text = f"pruned after {plural(running.fold, 'fold')}: log loss {running.loss:.4f} is worse than most"
            self._end(running, text)
        return should_prune

    def _fail(self, running: _Running, failure: Failure, where: str) -> None:
        file = self._context.store.member_folder(running.member.name) / f"{where}.error.txt"
        write_text(file, failure.traceback)
        self._search.fail(running.trial, failure.cause)
        self._end(running, f"FAILED: {failure.cause} (traceback in {file})")

    def _end(self, running: _Running, text: str) -> None:
        del self._running[running.member.name]
        seconds = format_duration(time.monotonic() - running.started)
        values = ", ".join(f"{path} {_short(value)}" for path, value in self._search.values(running.trial).items())
        self._context.board.log(f"trial {running.trial.number}: {text} [{values}; {seconds}{self._time_left()}]")
        in_use = {each.request.key for each in self._running.values() if each.request is not None}
        idle = [key for key in self._read if key not in in_use]
        for key in idle[: max(len(idle) - _KEPT, 0)]:
            self._tables.forget(self._read.pop(key), self._photographs)

    def _standing(self, running: _Running) -> str:
        best = self._search.best()
        if best is None or best.number == running.trial.number:
            return ", the best so far"
        return f"; the best is {best.value:.4f}, of trial {best.number}"

    def _time_left(self) -> str:
        budget = self._limits.budget
        return f"; {format_duration(budget.left)} left" if budget.limited else ""


def _at_once(engine: Engine, member: MemberSettings) -> int:
    """Return how many folds of a member can run side by side: what is scarcest decides."""
    share = engine.slots_of(member.resources) / engine.slots()
    return max(int(1 / share + _ROUNDING), 1) if share else 1  # no node has come yet


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
