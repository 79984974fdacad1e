"""One run of a growing ensemble: candidates are tried one by one, then further cuts of the folds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final, Literal

from ensemble.blend.blenders.forward import ForwardSelection, Selection, Step
from ensemble.blend.live import LiveBlend
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.arrays import Logits, Pixels
from ensemble.core.console.durations import format_duration
from ensemble.core.console.text import plural
from ensemble.engine.tasks.base import FOLDS, LABELS, PHOTOGRAPHS
from ensemble.grow.choosing import Chooser, Tried
from ensemble.grow.cuts import averaged_logits, train_cut
from ensemble.grow.steps import Growth, GrowthStep
from ensemble.store.context import RunContext
from ensemble.store.opening import begin_store
from ensemble.store.predictions import load_predictions
from ensemble.training.budget import Limits
from ensemble.training.execute import Training, train_folds
from ensemble.training.plan import plan_folds
from ensemble.training.run_log import RunLog
from ensemble.training.speeds import speeds_of

_PATIENCE: Final = 5  # candidates in a row that do not help
_MOST_CUTS: Final = 10
TIME_IS_UP: Final = "the time is up"
ALL_TRIED: Final = "every candidate was tried"
NOTHING_HELPS: Final = f"{_PATIENCE} candidates in a row did not help"
NONE_FITS: Final = "no candidate that is left can be finished in time"


class Growing:
    """One run.

    Parameters
    ----------
    candidates : sequence of MemberSettings
        As they can run here: the members of the experiment, and others.

    Attributes
    ----------
    growth : Growth
        The steps, those of earlier runs included.
    """

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
        self._selection = Selection(context.ledger.labels, context.ledger.folds)
        speeds = speeds_of(context.store, list(self._candidates), context.ledger.n_folds)
        self._chooser = Chooser(context, speeds, limits.budget, len(pixels))
        self._began = time.monotonic()
        self._tried: list[Tried] = []
        self._resumed = 0  # of these by earlier runs
        self._cuts = 1
        self._is_new = False  # whether steps are of this run
        self.growth = Growth.read(context.store)

    def run(self) -> None:
        """Try candidates until there is a reason to end, then cut the folds again as long as that helps."""
        engine, ledger = self._context.engine, self._context.ledger
        for key, array in ((PHOTOGRAPHS, self._pixels), (LABELS, ledger.labels), (FOLDS, ledger.folds)):
            engine.share(key, array)
        engine.deadline = self._limits.budget.deadline
        self._resume()
        while not (why := self._reason_to_end()):
            member = self._next()
            if member is None:
                why = NONE_FITS
            elif not self._try(member):
                why = TIME_IS_UP
            if why:
                break
        self._context.board.log(f"no further candidate: {why}")
        while self._cuts < _MOST_CUTS and self._try_cut():
            pass
        self.growth.why = why
        self._save()

    def grown(self, *others: MemberSettings) -> Experiment:
        """Return the experiment of what was tried, in that order, and others; its blend selects among them."""
        members = [member for member, step in self._tried if step.outcome != "failed"]
        folds = self._experiment.folds.model_copy(update={"repeats": self._cuts})
        settings = self._experiment.blend.model_copy(update={"methods": (ForwardSelection.title,)})
        update = {"members": (*members, *others), "blend": settings, "folds": folds}
        return self._experiment.model_copy(update=update)

    def _resume(self) -> None:
        """Take the steps of earlier runs whose members are still as they were then; decisions are made again."""
        steps, self.growth.steps, self.growth.why = self.growth.steps, [], ""
        for step in steps:
            member = self._candidates.get(step.member)
            if member is not None and (logits := self._logits(member)) is not None:
                self._note(member, logits, step.expected, step.seconds, step.after)
        self._resumed, self._is_new = len(self._tried), True
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
        found, failed = self._chooser.next(members, self._tried)
        for member in failed:
            self._note(member, None, 0.0, 0.0, self._now())
        return found

    def _try(self, member: MemberSettings) -> bool:
        """Train a candidate and decide about it; returns False where the time was up before."""
        context, started, expected = self._context, time.monotonic(), self._chooser.seconds(member, self._tried)
        store, ledger, competition = context.store, context.ledger, context.competition
        left = format_duration(self._limits.budget.left)
        context.board.log(f"next: {member.name}, about {format_duration(expected)}; {left} left")
        experiment = self.grown(member)
        self._begin(experiment)
        plan = plan_folds([member], ledger, competition, store)
        live = LiveBlend(store, experiment, context.board)
        training = Training(context, plan, self._pixels, Limits(self._limits.timeout), live.fold_stored)
        train_folds(training, RunLog(store))
        logits = self._logits(member)
        if logits is None and context.engine.time_is_up:
            return False
        self._note(member, logits, expected, time.monotonic() - started, self._now())
        return True

    def _try_cut(self) -> bool:
        """Train the members that were kept on a further cut of the folds, if there is time; return whether it helps."""
        members = [member for member, step in self._tried if step.outcome == "kept"]
        context, number, started = self._context, self._cuts, time.monotonic()
        expected = self._chooser.seconds_of_cut(members)
        if not members or not self._chooser.fits(expected) or context.engine.time_is_up:
            return False
        context.board.log(f"next: cut {number + 1} of the folds, about {format_duration(expected)}")
        before = self.grown()
        self._cuts += 1
        experiment = self.grown()
        self._begin(experiment)
        live = LiveBlend(context.store, experiment, context.board)
        timeout = self._limits.timeout
        if not train_cut(context, experiment, members, self._pixels, number, timeout, live.fold_stored):
            self._cuts -= 1
            self._begin(before)
            return False
        step = self._selection.replace(averaged_logits(context, experiment, members))
        self._cuts -= not step.helps
        outcome: Literal["kept", "dropped"] = "kept" if step.helps else "dropped"
        name = f"cut {number + 1} of the folds"
        self._add(name, outcome, step, expected, time.monotonic() - started, self._now())
        return step.helps

    def _note(
        self, member: MemberSettings, logits: Logits | None, expected: float, seconds: float, after: float
    ) -> None:
        """Keep a member if the blend gains by it, and note the step; without logits it has failed."""
        found = None if logits is None else self._selection.offer(logits)
        outcome: Literal["kept", "dropped", "failed"] = (
            "failed" if found is None else "kept" if found.helps else "dropped"
        )
        self._tried.append((member, self._add(member.name, outcome, found, expected, seconds, after)))

    def _add(
        self,
        name: str,
        outcome: Literal["kept", "dropped", "failed"],
        found: Step | None,
        expected: float,
        seconds: float,
        after: float,
    ) -> GrowthStep:
        losses = self._selection.losses
        step = GrowthStep(
            member=name,
            outcome=outcome,
            expected=expected,
            seconds=seconds,
            gain=0.0 if found is None else found.gain,
            standard_error=0.0 if found is None else found.standard_error,
            log_loss=float(losses.mean()),
            accuracy=float((losses <= math.log(2)).mean()),  # of the right side of one half
            after=after,
        )
        self.growth.steps.append(step)
        if self._is_new:
            self._context.board.log(step.line())
            self._save()
        return step

    def _logits(self, member: MemberSettings) -> Logits | None:
        """Return the out-of-fold logits of a member; None if a fold of it is missing."""
        context = self._context
        if plan_folds([member], context.ledger, context.competition, context.store).missing:
            return None
        predictions = load_predictions(context.store, self._experiment.model_copy(update={"members": (member,)}))
        return predictions.oof_logits[:, predictions.members.index(member.name)]

    def _begin(self, experiment: Experiment) -> None:
        begin_store(self._context.store, experiment, self._context.ledger, self._context.competition)

    def _now(self) -> float:
        """Return the seconds since the ensemble began to grow, over all runs."""
        return self.growth.seconds + time.monotonic() - self._began

    def _save(self) -> None:
        """Store the steps so far."""
        growth = Growth(self.growth.steps, self._now(), self.growth.why)
        growth.write(self._context.store)
