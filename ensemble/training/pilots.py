"""Pilots: members that nobody has measured are tried on a few photographs, to estimate their speed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.config.members import MemberSettings
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.tasks.base import FOLDS, LABELS, PHOTOGRAPHS, Outcome
from ensemble.engine.tasks.failures import Cancelled, Failure
from ensemble.engine.tasks.pilot import Pilot, PilotTask
from ensemble.store.context import RunContext
from ensemble.training.budget import Budget
from ensemble.training.speeds import Speeds

_WORKERS_START = 30.0  # seconds until the first task starts, on a slow machine whose members import PyTorch
_SHARE = 0.1  # of the time left, for all pilots together
_ROWS, _ROWS_SHARE, _ROWS_AT_MOST = 60, 0.01, 240


def run_pilots(
    context: RunContext, members: Sequence[MemberSettings], budget: Budget, speeds: Speeds
) -> dict[str, Failure]:
    """Estimate the speed of members, and return why others could not be tried, by name.

    A pilot that was cut short (`Cancelled`) may be slow, one that failed may have had too few photographs.
    """
    engine, board = context.engine, context.board
    names = ", ".join(member.name for member in members)
    board.log(f"trying {names} on a few photographs, to estimate the time of a fold")
    failed: dict[str, Failure] = {}
    by_name, photographs = {member.name: member for member in members}, len(engine.shared[PHOTOGRAPHS])

    def receive(outcome: Outcome) -> None:
        name = outcome.task.group.partition("/")[2]
        if isinstance(outcome.failure, Cancelled) and not outcome.worker:
            return  # it had no turn
        if outcome.failure:
            failed[name] = outcome.failure
            board.log(f"  {name} could not be tried: {outcome.failure.cause}")
        else:
            seconds = _seconds_of_a_fold(outcome.value, by_name[name], photographs, engine.shared[FOLDS])
            speeds.estimate(name, seconds, outcome.value.features)

    rows = pilot_rows(engine.shared[LABELS], engine.shared[FOLDS])
    left = budget.left
    each = left * _SHARE * min(engine.slots() / len(members), 1)
    pipeline = Pipeline(engine, board)
    pipeline.submit([PilotTask(member, rows, each) for member in members], receive)
    engine.deadline = time.monotonic() + min(max(left * _SHARE, _WORKERS_START), left / 2)
    pipeline.run()
    engine.deadline = budget.deadline
    return failed


def _seconds_of_a_fold(pilot: Pilot, member: MemberSettings, photographs: int, folds: NDArray[np.int64]) -> float:
    """Return how long a fold takes; with pseudo-labels it predicts the test rows first, and learns a second time."""
    test, held_out = photographs - len(folds), len(folds) / (folds.max() + 1)
    training = len(folds) - held_out
    seconds = pilot.fold(training, held_out + test)
    if member.pseudo_labels is not None:
        seconds += pilot.fold(training + min(member.pseudo_labels.most * training, test), test)
    return seconds


def pilot_rows(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return a few of the rows that fold 0 learns from, real and fake in turns."""
    count = min(max(_ROWS, int(len(labels) * _ROWS_SHARE)), _ROWS_AT_MOST)
    each = [np.flatnonzero((labels == label) & (folds != 0))[: count // 2] for label in (0, 1)]
    shorter = min(map(len, each))
    return np.stack([rows[:shorter] for rows in each], axis=1).ravel()
