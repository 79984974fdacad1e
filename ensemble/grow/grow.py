"""An ensemble that grows until the time is up: candidates are trained one by one, and kept if the blend gains by them.

All candidates that were tried stay in the store, and the blend selects among them (`forward`). So its nested score
counts the selection: in each part it is repeated without the rows that are scored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final

from ensemble.audit.pseudo_labels import check_pseudo_labels
from ensemble.audit.run import Subject
from ensemble.blend.blenders.forward import ForwardSelection, Selection
from ensemble.blend.live import LiveBlend
from ensemble.blend.run import blend
from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.arrays import Logits, Pixels
from ensemble.core.console.durations import format_duration
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import plural
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.storage.lock import only_writer
from ensemble.engine.choose import engine_maker
from ensemble.engine.features.cache import chunk_rows
from ensemble.engine.resources import Job, requested
from ensemble.engine.tasks.base import FOLDS, LABELS, PHOTOGRAPHS
from ensemble.engine.tasks.failures import Cancelled
from ensemble.grow.choosing import expected_gain, next_candidate
from ensemble.grow.steps import Growth, GrowthStep
from ensemble.report.publish import publish
from ensemble.store.context import RunContext
from ensemble.store.oof import SUBMISSION, OofStore
from ensemble.store.opening import facts_of, prepare, write_photograph_hashes
from ensemble.store.predictions import load_predictions
from ensemble.training.budget import Limits
from ensemble.training.checks import check_members
from ensemble.training.execute import Training, train_folds
from ensemble.training.pilots import run_pilots
from ensemble.training.plan import plan_folds
from ensemble.training.run_log import RunLog
from ensemble.training.speeds import speeds_of

_TRIED_AHEAD: Final = 3  # candidates whose speed is measured before one of them is chosen
_PATIENCE: Final = 5  # candidates in a row that do not help
TIME_IS_UP: Final = "the time is up"
ALL_TRIED: Final = "every candidate was tried"
NOTHING_HELPS: Final = f"{_PATIENCE} candidates in a row did not help"
NONE_FITS: Final = "no candidate that is left can be finished in time"


def grow(
    experiment: Experiment,
    candidates: Sequence[MemberSettings],
    data: Location,
    store: OofStore,
    engine_name: str,
    limits: Limits,
) -> Growth:
    """Grow an ensemble within a budget, and end with its submission, its report and the steps that were taken.

    Parameters
    ----------
    candidates : sequence of MemberSettings
        The members of the experiment, and others.

    Raises
    ------
    UserError
        A candidate cannot be built, or none could be trained in time.
    """
    make_engine, board = engine_maker(engine_name), ProgressBoard()
    if experiment.folds.repeats > 1:
        raise UserError(
            "an ensemble grows on one cut of the folds: set folds.repeats to 1, and train more cuts at the end"
        )
    check_members(candidates)
    with only_writer(store.root, "train"):
        competition = Competition.open(data, experiment.data)
        for line in competition.lines():
            board.log(line)
        pixels, ledger = prepare(experiment, competition, store, board)
        pixels = competition.decode() if pixels is None else pixels
        if not store.exists():
            store.begin(experiment, ledger, competition.sample, facts_of(competition))
        with make_engine() as engine:
            context = RunContext(competition, ledger, store, engine, board)
            candidates, unable = engine.fit_to_hardware(candidates)
            for name, reason in unable.items():
                board.log(f"{name} cannot run: {reason}")
            check_pseudo_labels(candidates, Subject(competition, ledger, experiment, store), engine, board, pixels)
            growing = _Growing(experiment, context, pixels, limits, candidates)
            growing.run()
        growing.finish()
    return growing.growth


class _Growing:
    """One run."""

    def __init__(
        self,
        experiment: Experiment,
        context: RunContext,
        pixels: Pixels,
        limits: Limits,
        candidates: Sequence[MemberSettings],
    ) -> None:
        self._experiment, self._context, self._pixels, self._limits = experiment, context, pixels, limits
        self._candidates = {member.name: member for member in candidates}
        self._own = {member.name for member in experiment.members}
        ledger = context.ledger
        self._selection = Selection(ledger.labels, ledger.folds)
        self._speeds = speeds_of(context.store, list(self._candidates), ledger.n_folds)
        self._began = time.monotonic()
        self._tried: list[tuple[MemberSettings, GrowthStep]] = []
        self._resumed = 0  # of these by earlier runs
        self.growth = Growth.read(context.store)

    def run(self) -> None:
        """Try candidates until there is a reason to end."""
        engine, ledger = self._context.engine, self._context.ledger
        for key, array in ((PHOTOGRAPHS, self._pixels), (LABELS, ledger.labels), (FOLDS, ledger.folds)):
            engine.share(key, array)
        engine.deadline = self._limits.budget.deadline
        self._resume()
        while not (why := self._reason_to_end()):
            member = self._next()
            if member is None:
                why = NONE_FITS
                break
            if not self._try(member):
                why = TIME_IS_UP
                break
        self.growth.why = why
        self._context.board.log(f"the ensemble has stopped growing: {why}")
        self._save()

    def finish(self) -> None:
        """Blend what was tried, and write the report."""
        store, board = self._context.store, self._context.board
        experiment = self._with()
        if not experiment.members:
            raise UserError(f"no candidate could be trained ({self.growth.why}); give it more time")
        store.begin(
            experiment, self._context.ledger, self._context.competition.sample, facts_of(self._context.competition)
        )
        predictions = load_predictions(store, experiment)
        elsewhere = [name for name in store.imported() if name in predictions.members]
        if elsewhere:
            board.log(f"{', '.join(elsewhere)}: trained elsewhere, and not among what has grown")
        with only_writer(store.root, "blend"):
            blend(store, experiment, predictions=predictions.without(elsewhere))
        publish(store, board.console, experiment, competition=self._context.competition)
        kept = [step.member for step in self.growth.steps if step.outcome == "kept"]
        board.log(f"{plural(len(self.growth.steps), 'candidate')} tried, {len(kept)} kept: {', '.join(kept) or 'none'}")
        board.log(f"submission: {store.blend_folder / SUBMISSION}")

    def _resume(self) -> None:
        """Take the steps of earlier runs whose members are still as they were then; decisions are made again."""
        steps, self.growth.steps, self.growth.why = self.growth.steps, [], ""
        for step in steps:
            member = self._candidates.get(step.member)
            if member is not None and (logits := self._logits(member)) is not None:
                self._decide(member, logits, step.expected, step.seconds, step.after)
        self._resumed = len(self._tried)
        if self._tried:
            self._context.board.log(f"going on after {plural(len(self._tried), 'candidate')} of earlier runs")

    def _reason_to_end(self) -> str:
        """Return why no further candidate is tried; empty if one is."""
        outcomes = [step.outcome for step in self.growth.steps[self._resumed :]]
        if not self._open:
            return ALL_TRIED
        own = any(member.name in self._own for member in self._open)
        if not own and outcomes[-_PATIENCE:] == ["dropped"] * _PATIENCE:
            return NOTHING_HELPS
        return TIME_IS_UP if self._context.engine.time_is_up else ""

    @property
    def _open(self) -> list[MemberSettings]:
        """Candidates that were not tried."""
        done = {member.name for member, _ in self._tried}
        return [member for name, member in self._candidates.items() if name not in done]

    def _next(self) -> MemberSettings | None:
        """Return the candidate that comes next, of the config's while one of them fits; None if none fits."""
        own = [member for member in self._open if member.name in self._own]
        others = [member for member in self._open if member.name not in self._own]
        return self._next_of(own) or self._next_of(others)

    def _next_of(self, members: Sequence[MemberSettings]) -> MemberSettings | None:
        """Return the next one of some candidates; the most promising ones are measured first, if nobody has.

        Where none of these can be finished in time, further ones are measured.
        """
        left = sorted(members, key=lambda member: -expected_gain(member, self._tried))
        while left:
            promising, left = left[:_TRIED_AHEAD], left[_TRIED_AHEAD:]
            unknown = [member for member in promising if not self._speeds.known(member.name)]
            failed = run_pilots(self._context, unknown, self._limits.budget, self._speeds) if unknown else {}
            for name, failure in failed.items():
                if not isinstance(failure, Cancelled):  # that would only be slow, or the time was up
                    self._decide(self._candidates[name], None, 0.0, 0.0, self._now())
            measured = [member for member in members if self._speeds.known(member.name)]
            found = next_candidate(measured, self._tried, self._seconds, self._limits.budget.left)
            if found is not None:
                return found
        return None

    def _seconds(self, member: MemberSettings) -> float:
        """Return how long a candidate is likely to take: its folds, and features that no other one has read."""
        fold, ledger = self._speeds.fold(member.name), self._context.ledger
        jobs: list[Job] = [(fold, requested(member.resources))] * ledger.n_folds
        if member.features is not None and all(other.features != member.features for other, _ in self._tried):
            each, resources = self._speeds.photograph(member.name), requested(member.features_resources)
            jobs += [(each * (rows.stop - rows.start), resources) for rows in chunk_rows(len(self._pixels))]
        return self._context.engine.span(jobs)

    def _try(self, member: MemberSettings) -> bool:
        """Train a candidate and decide about it; returns False where the time was up before."""
        context, started, expected = self._context, time.monotonic(), self._seconds(member)
        store, ledger, competition = context.store, context.ledger, context.competition
        left = format_duration(self._limits.budget.left)
        context.board.log(f"next: {member.name}, about {format_duration(expected)}; {left} left")
        experiment = self._with(member)
        store.begin(experiment, ledger, competition.sample, facts_of(competition))
        write_photograph_hashes(store, competition)
        plan = plan_folds([member], ledger, competition, store)
        live = LiveBlend(store, experiment, context.board)
        training = Training(context, plan, self._pixels, Limits(self._limits.timeout), live.fold_stored)
        train_folds(training, RunLog(store))
        logits = self._logits(member)
        if logits is None and context.engine.time_is_up:
            return False
        self._decide(member, logits, expected, time.monotonic() - started, self._now())
        context.board.log(self.growth.steps[-1].line())
        self._save()
        return True

    def _decide(
        self, member: MemberSettings, logits: Logits | None, expected: float, seconds: float, after: float
    ) -> None:
        """Keep a member if the blend gains by it, and note the step; without logits it has failed."""
        found = None if logits is None else self._selection.offer(logits)
        losses = self._selection.losses
        step = GrowthStep(
            member=member.name,
            outcome="failed" if found is None else "kept" if found.helps else "dropped",
            expected=expected,
            seconds=seconds,
            gain=0.0 if found is None else found.gain,
            standard_error=0.0 if found is None else found.standard_error,
            log_loss=float(losses.mean()),
            accuracy=float((losses <= math.log(2)).mean()),  # of the right side of one half
            after=after,
        )
        self.growth.steps.append(step)
        self._tried.append((member, step))

    def _logits(self, member: MemberSettings) -> Logits | None:
        """Return the out-of-fold logits of a member; None if a fold of it is missing."""
        context = self._context
        if plan_folds([member], context.ledger, context.competition, context.store).missing:
            return None
        predictions = load_predictions(context.store, self._experiment.model_copy(update={"members": (member,)}))
        return predictions.oof_logits[:, predictions.members.index(member.name)]

    def _with(self, *others: MemberSettings) -> Experiment:
        """Return the experiment of what was tried, in that order, and others; its blend selects among them."""
        members = [member for member, step in self._tried if step.outcome != "failed"]
        settings = self._experiment.blend.model_copy(update={"methods": (ForwardSelection.title,)})
        return self._experiment.model_copy(update={"members": (*members, *others), "blend": settings})

    def _now(self) -> float:
        """Return the seconds since the ensemble began to grow, over all runs."""
        return self.growth.seconds + time.monotonic() - self._began

    def _save(self) -> None:
        """Store the steps so far."""
        growth = Growth(self.growth.steps, self._now(), self.growth.why)
        growth.write(self._context.store)
