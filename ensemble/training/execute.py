"""Training every missing fold: whatever is urgent and fits runs, and each fold is stored as soon as it is done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from ensemble.config.members import MemberSettings
from ensemble.config.settings import Recipe
from ensemble.core.arrays import Pixels
from ensemble.core.console.durations import format_duration
from ensemble.core.errors import UserError, reason
from ensemble.core.metrics.scores import correct_probabilities
from ensemble.core.storage.files import Location, write_text
from ensemble.engine.features.table import FeatureTable, Photographs
from ensemble.engine.features.tables import FeatureTables, Read
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.resources import Job, requested
from ensemble.engine.tasks.base import PHOTOGRAPHS, Outcome, Task
from ensemble.engine.tasks.failures import Cancelled, Failure
from ensemble.engine.tasks.features import TableRequest
from ensemble.engine.tasks.fold import FoldResult
from ensemble.store.context import RunContext
from ensemble.training.budget import UNLIMITED, Limits
from ensemble.training.member_run import MemberRun, member_run
from ensemble.training.pilots import run_pilots
from ensemble.training.plan import Plan, plan_folds
from ensemble.training.run_log import write_run
from ensemble.training.selection import all_jobs, by_gain, choose
from ensemble.training.speeds import Speeds, speeds_of

_FEATURES_ERROR = "features.error.txt"


class Training:
    """One run of the folds that are missing.

    Parameters
    ----------
    pixels : uint8 array (photographs, height, width, 3)
        The decoded photographs, training rows first.
    on_stored : callable
        Called after each fold that was stored.
    speeds : Speeds, optional
        Default: those of the store's folds.
    """

    def __init__(
        self,
        context: RunContext,
        plan: Plan,
        pixels: Pixels,
        limits: Limits = UNLIMITED,
        on_stored: Callable[[], None] = lambda: None,
        speeds: Speeds | None = None,
    ) -> None:
        self.context, self.plan, self.pixels = context, plan, pixels
        self.limits, self.on_stored = limits, on_stored
        self.speeds = speeds or speeds_of(context.store, [m.name for m in plan.members], context.ledger.n_folds)
        self._noted: set[str] = set()
        self.pipeline = Pipeline(context.engine, context.board, self._urgency)
        self.tables = FeatureTables(self.pipeline, context.store.feature_cache)
        self.complete = True
        self._runs: dict[str, MemberRun] = {}
        self._photographs = Photographs(pixels)
        self._first: list[tuple[TableRequest, Read]] = []

    def compute_first(self, recipe: Recipe, read: Read) -> None:
        """Compute features by a recipe before those of members; `read` is called with the table or the failure."""
        self._first.append((TableRequest(recipe), read))

    def run(self) -> bool:
        """Bring every missing fold into the store that the budget has room for; returns whether none of them failed."""
        engine, board = self.context.engine, self.context.board
        self.context.share(self.pixels)
        with board:
            for request, read in self._first:  # of equal urgency, what is queued first goes first
                self.tables.request(request, self._photographs, partial(self._first_done, request, read))
            self._begin()
            self.pipeline.run()
        if engine.time_is_up:
            done = any(entry["outcome"] == "done" for entry in self.pipeline.history)
            how = "run the same command to continue" if done else "give it more time"
            board.log(f"the time is up; what is finished is kept, {how}")
        return self.complete

    def _first_done(self, request: TableRequest, read: Read, found: FeatureTable | Failure) -> None:
        read(found)
        if not self._is_awaited(request.key):
            self.tables.forget(request, self._photographs)

    def _begin(self) -> None:
        """Start all members; with a budget those that fit, after pilots of those that nobody has measured."""
        engine, board, budget = self.context.engine, self.context.board, self.limits.budget
        board.slots = engine.slots()
        able, unable = engine.fit_to_hardware(self.plan.members)
        for name, why in unable.items():
            board.log(f"{name} cannot run: {why}")
            self.complete = False
        for member, fold in self.plan.finished:
            board.add_stored(f"{member.name}/fold-{fold}", member.name)
        self._runs = {member.name: member_run(member, self.plan, self.limits.timeout) for member in able}
        if not budget.limited:
            for run in self._runs.values():
                self._start(run)
            return
        unmeasured = [member for member in able if not self.speeds.known(member.name)]
        unknown = by_gain(unmeasured, [], self.plan.complete_members)
        if unknown:
            run_pilots(self.context, unknown, budget, self.speeds)
        for member in unknown:  # that a pilot has failed, or had no turn
            self._runs[member.name].measured = self.speeds.known(member.name)
        self._review()
        self._log_choice()

    def _start(self, run: MemberRun) -> None:
        """Queue a member's folds, after the features that it reads."""
        run.state = "active"
        for task in run.tasks:
            slots = self.context.engine.slots_of(task.resources)
            self.context.board.add(task.title, run.name, slots, self.speeds.fold(run.name))
        if run.request is None:
            self._queue_folds(run)
        else:
            self.tables.request(run.request, self._photographs, partial(self._features_done, run.request.key))

    def _queue_folds(self, run: MemberRun) -> None:
        if not run.queued:
            run.queued = True
            self.pipeline.submit(run.tasks, partial(self._fold_done, run))

    def _features_done(self, key: str, found: FeatureTable | Failure) -> None:
        """Queue the folds that read a table; where it failed, its readers are lost, and nobody else."""
        readers = self._readers(key)
        if isinstance(found, FeatureTable):
            for run in readers:
                run.features_seconds = found.seconds_per_photograph
                with suppress(OSError, UserError):  # of an earlier run
                    (self.context.store.member_folder(run.name) / _FEATURES_ERROR).unlink(missing_ok=True)
                self._queue_folds(run)
            return
        for run in readers:
            log = self._write_traceback(self.context.store.member_folder(run.name) / _FEATURES_ERROR, found)
            self.context.board.member_failed(run.name, f"its features raised {found.cause} ({log})")
            run.state = "dropped"
        self._review()

    def _fold_done(self, run: MemberRun, outcome: Outcome) -> None:
        """Store the result of a fold, or log why there is none."""
        title, stored = outcome.task.title, False
        if isinstance(outcome.value, Cancelled):
            self.context.board.cancelled(title)
            return
        run.done += 1
        self._drop_table(run)
        if outcome.failure:
            fold: int = outcome.task.fold  # type: ignore[attr-defined]
            log = self._write_traceback(self.context.store.log_file(run.name, fold), outcome.failure)
            self.context.board.failed(title, f"{outcome.failure.cause} ({log})")
        else:
            stored = self._store(run, title, outcome.value)
        self._review()
        if stored:
            self.on_stored()

    def _drop_table(self, run: MemberRun) -> None:
        """Drop the features that a member read, with its last fold, unless another member has folds that read them."""
        if run.request is not None and not self._is_awaited(run.request.key):
            self.tables.forget(run.request, self._photographs)

    def _is_awaited(self, key: str) -> bool:
        """Return whether a member has folds to come that read a feature table."""
        return any(run.open and run.request is not None and run.request.key == key for run in self._runs.values())

    def _store(self, run: MemberRun, title: str, result: FoldResult) -> bool:
        """Store a fold, show how good it is, and take note of how long it took; returns whether it is stored."""
        context, provenance = self.context, self.plan.provenance[run.name]
        try:
            context.store.write(result, provenance, context.ledger, context.competition.sample, run.features_seconds)
        except OSError as error:  # a full disk, say: what is finished later may fit again
            self.complete = False
            context.board.failed(title, f"it could not be stored: {reason(error)}")
            return False
        seconds = result.finished - result.started
        self.speeds.measured(run.name, seconds)
        self.pipeline.queue.reorder(run.name)
        right = correct_probabilities(result.heldout, context.ledger.labels[context.ledger.heldout(result.fold)]).mean()
        note = f"; {result.model_note}" if result.model_note and run.name not in self._noted else ""
        if result.model_note:
            self._noted.add(run.name)  # said once a member
        context.board.done(title, seconds, f"held-out accuracy {right:.4f}{note}")
        return True

    def _write_traceback(self, file: Location, failure: Failure) -> str:
        """Write a traceback, and return where it is, or why it could not be written."""
        self.complete = False
        try:
            write_text(file, failure.traceback)
        except (OSError, UserError) as error:
            return f"its traceback could not be written: {reason(error)}"
        return f"traceback in {file}"

    def _review(self) -> None:
        """Start the members that fit by what is known now, and give up those that do not while others do."""
        if not self.limits.budget.limited or self.context.engine.time_is_up:
            return
        runs = {run.name: run for run in self._runs.values() if run.open}
        started = [run.name for run in runs.values() if self._has_started(run)]
        finished, span, budget = self.plan.complete_members, self.context.engine.span, self.limits.budget
        chosen = choose(list(runs.values()), started, finished, self._jobs, span, budget)
        for run in runs.values():
            if run.state == "active" and run.name not in chosen:
                self._stop(run)
        for name in chosen:
            if runs[name].state == "waiting":
                self._start(runs[name])

    def _stop(self, run: MemberRun) -> None:
        board, run_started = self.context.board, self._has_started(run)
        run.state, run.queued = "dropped" if run_started else "waiting", False
        if run_started:
            board.log(f"{run.name} is dropped: it would not finish in time; its finished folds are kept")
        board.remove(run.name)
        self.pipeline.cancel(run.name)
        if run.request is not None and not self._readers(run.request.key):
            self.tables.forget(run.request, self._photographs)

    def _has_started(self, run: MemberRun) -> bool:
        return run.resumed or run.done > 0 or self.context.board.is_running(run.name)

    def _readers(self, key: str) -> list[MemberRun]:
        """Return the active members that read a feature table."""
        active = (run for run in self._runs.values() if run.state == "active")
        return [run for run in active if run.request is not None and run.request.key == key]

    def _log_choice(self) -> None:
        """Log which members were chosen, and how long they are likely to take."""
        board, span, left = self.context.board, self.context.engine.span, self.limits.budget.left
        chosen = [run.member for run in self._runs.values() if run.state == "active"]
        names = ", ".join(member.name for member in chosen) or "no member"
        board.log(f"in {format_duration(left)}: {names}, about {format_duration(span(all_jobs(chosen, self._jobs)))}")
        for run in self._runs.values():
            if run.state != "active":
                alone = span(self._jobs(run.member))
                known = f"about {format_duration(alone)} by itself"
                unknown = "its speed is unknown; it starts if time remains"
                board.log(f"  left out: {run.name} ({known if math.isfinite(alone) else unknown})")

    def _jobs(self, member: MemberSettings, with_features: bool = True) -> list[Job]:
        """Return the remaining work of a member: chunks of its features that nobody has computed, and its folds."""
        run, fold = self._runs[member.name], self.speeds.fold(member.name)
        chunks: list[Job] = []
        if run.request is not None and with_features:
            seconds, resources = self.speeds.photograph(run.name), requested(run.request.resources)
            chunks = [(seconds * size, resources) for size in self.tables.remaining(run.request, self._photographs)]
        board = self.context.board
        folds = [(board.seconds_left_of(task.title, fold), requested(task.resources)) for task in run.tasks]
        return [*chunks, *folds]

    def _urgency(self, task: Task) -> float:
        """Return the seconds of a task and of what waits for it: remaining features, and the longest fold after."""
        if task.group in self._runs:
            return self.speeds.fold(task.group)
        if task.group in {request.group(PHOTOGRAPHS) for request, _ in self._first}:
            return math.inf
        active = (run for run in self._runs.values() if run.state == "active" and run.request is not None)
        readers = [run.name for run in active if run.request and run.request.group(PHOTOGRAPHS) == task.group]
        features = len(self._photographs) * max(map(self.speeds.photograph, readers), default=0.0)
        return features / self.context.engine.slots() + max(map(self.speeds.fold, readers), default=0.0)


def train_folds(training: Training, started: float) -> bool:
    """Train, and log what the run cost since `started` (epoch seconds); returns whether no fold failed."""
    try:
        return training.run()
    finally:
        context, history = training.context, training.pipeline.history
        write_run(context.store, started, context.engine, context.board.slots, training.plan, history)


def train_all_folds(
    context: RunContext,
    members: Sequence[MemberSettings],
    pixels: Pixels,
    timeout: float = math.inf,
    on_stored: Callable[[], None] = lambda: None,
) -> bool:
    """Train the missing folds of members, without a budget; returns whether all their folds are stored."""

    def planned() -> Plan:
        return plan_folds(list(members), context.ledger, context.competition, context.store)

    plan = planned()
    if not plan.missing:
        return True
    train_folds(Training(context, plan, pixels, Limits(timeout), on_stored), time.time())
    return not planned().missing
