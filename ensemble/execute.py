"""Doing the plan: features first, then folds, each stored as soon as it comes home and told on the board."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ensemble.competition import Competition
from ensemble.config import MemberSettings
from ensemble.durations import spoken
from ensemble.engine import Engine, FoldFailure, Workload
from ensemble.features import FeatureTable, feature_table
from ensemble.files import write_text
from ensemble.folds import FoldLedger
from ensemble.metrics import is_right
from ensemble.oof import FoldResult, OofStore
from ensemble.plan import Plan, to_workload
from ensemble.progress import Board
from ensemble.schedule import longest_first, measured_seconds

FEATURE_CACHE = ".features"


def execute(
    plan: Plan,
    competition: Competition,
    pixels: NDArray[np.uint8] | None,
    ledger: FoldLedger,
    store: OofStore,
    engine: Engine,
    board: Board,
    stored: Callable[[], None],
    timeout: float = math.inf,
) -> bool:
    """Features first, then every missing fold; each is stored as soon as it comes home, and `stored` is called.

    `pixels` are the decoded photographs, if they are at hand; a fold that runs longer than `timeout` seconds is ended.
    Returns whether no fold failed.
    """
    pixels = competition.decode() if pixels is None else pixels
    board.slots = engine.slots()
    able, unable = engine.fit_to_hardware(plan.members)
    for name, reason in unable.items():
        board.say(f"{name} cannot run: {reason}")
    tables, failed = _feature_tables(able, plan, pixels, engine, store, board)
    able = [member for member in able if member.name not in failed]
    work = _in_order(to_workload(plan, able, tables, pixels, ledger), timeout, plan, ledger, store, board)
    complete = not unable and not failed
    with board:
        for outcome in engine.folds(work, board):
            if isinstance(outcome, FoldFailure):
                _tell_failure(outcome, store, board)
                complete = False
                continue
            table = tables.get(work.table_of[outcome.member])
            cost = table.seconds_per_photograph if table else 0.0
            try:
                store.write(outcome, plan.provenance[outcome.member], ledger, competition.sample, cost)
            except OSError as error:  # a full disk, say: what is finished later may fit again
                board.failed(f"{outcome.member}/fold-{outcome.fold}", f"it could not be stored: {error}")
                complete = False
                continue
            _tell_result(outcome, ledger, board)
            stored()
    return complete


def _in_order(
    work: Workload, timeout: float, plan: Plan, ledger: FoldLedger, store: OofStore, board: Board
) -> Workload:
    """The folds in the order in which they are to begin, announced on the board after those that are kept."""
    seconds = measured_seconds(store, work.table_of, ledger.n_folds)
    tasks = longest_first(work.tasks, seconds)
    for member, fold in plan.kept:
        board.add(f"{member.name}/fold-{fold}", member.name, 0, kept=True)
    for task in tasks:
        board.add(task.title, task.member.name, task.member.resources.num_cpus, seconds.get(task.member.name))
    return replace(work, tasks=tasks, timeout=timeout)


def _feature_tables(
    members: list[MemberSettings], plan: Plan, pixels: NDArray[np.uint8], engine: Engine, store: OofStore, board: Board
) -> tuple[dict[str | None, FeatureTable], set[str]]:
    """One table for each recipe, however many members ask for it; and the members whose features failed."""
    tables: dict[str | None, FeatureTable] = {}
    failures: dict[str | None, BaseException] = {}
    for member in members:
        key = plan.features[member.name]
        if member.features is None or key is None or key in tables or key in failures:
            continue
        report = FeatureLine(member.features.use, board)
        try:
            tables[key] = feature_table(member.features, key, pixels, engine, store.root.parent / FEATURE_CACHE, report)
        except (Exception, SystemExit) as error:  # a transformer of any package may do anything; other members go on
            failures[key] = error
    lost = {member.name: failures[key] for member in members if (key := plan.features[member.name]) in failures}
    for name, cause in lost.items():
        log = store.member_folder(name) / "features.error.txt"
        write_text(log, "".join(traceback.format_exception(cause)))
        board.say(f"{name} FAILED: its features raised {last_line(cause)} (traceback in {log})")
    return tables, set(lost)


def last_line(error: BaseException) -> str:
    """The last line of what an error says: Ray puts the worker's traceback before it."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


class FeatureLine:
    """Says how far a feature table is, not too often."""

    def __init__(self, what: str, board: Board, every: float = 10.0) -> None:
        self.what, self.board, self.every = what, board, every
        self.begun = self.last = time.monotonic()
        self.first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Photographs that are done, of how many."""
        now = time.monotonic()
        self.first = done if self.first is None else self.first
        if done < total and now - self.last < self.every:
            return
        self.last = now
        fresh = done - self.first
        left = f", about {spoken((now - self.begun) / fresh * (total - done))} left" if fresh and done < total else ""
        self.board.say(f"features {self.what}: {done} of {total} photographs{left}")


def _tell_result(result: FoldResult, ledger: FoldLedger, board: Board) -> None:
    accuracy = is_right(result.heldout, ledger.labels[ledger.heldout(result.fold)]).mean()
    note = f"; {result.model_note}" if result.model_note else ""
    title = f"{result.member}/fold-{result.fold}"
    board.finished(title, result.finished - result.started, f"held-out accuracy {accuracy:.4f}{note}")


def _tell_failure(failure: FoldFailure, store: OofStore, board: Board) -> None:
    log = store.log_file(failure.member, failure.fold)
    write_text(log, failure.traceback)
    board.failed(f"{failure.member}/fold-{failure.fold}", f"{failure.cause} (traceback in {log})")
