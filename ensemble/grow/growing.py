"""One run of a growing ensemble: candidates are tried one by one, then further cuts of the folds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ensemble.blend.blenders.forward import ForwardSelection, Selection, Step
from ensemble.blend.live import LiveBlend
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.arrays import Logits, Pixels
from ensemble.core.console.durations import format_duration
from ensemble.core.console.text import plural
from ensemble.grow.choosing import Chooser, Tried
from ensemble.store.context import RunContext
from ensemble.store.grown import Growth, GrowthStep
from ensemble.store.opening import begin_store
from ensemble.store.predictions import load_predictions
from ensemble.store.repeats import ledger_of_cut, store_of_cut
from ensemble.training.budget import Limits
from ensemble.training.execute import train_all_folds
from ensemble.training.plan import plan_folds

_PATIENCE: Final = 5  # candidates in a row that do not help
_MOST_CUTS: Final = 10
_TIME_IS_UP: Final = "the time is up"
_ALL_TRIED: Final = "every candidate was tried"
_NOTHING_HELPS: Final = f"{_PATIENCE} candidates in a row did not help"
_NONE_FITS: Final = "no candidate that is left can be finished in time"


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
        self._chooser = Chooser(context, list(self._candidates), limits.budget, len(pixels))
        self._began = time.monotonic()
        self._cuts = 1  # of the folds, that are averaged
        self.growth = Growth.read(context.store)

    def run(self) -> None:
        """Try candidates until there is a reason to end, then cut the folds again as long as that helps."""
        self._context.share(self._pixels)
        self._resume()
        while not (why := self._try_next()):
            pass
        self._context.board.log(f"no further candidate: {why}")
        while self._cuts < _MOST_CUTS and self._try_cut():
            pass
        self.growth.why = why
        self._save()

    def grown(self, *others: MemberSettings, cuts: int | None = None) -> Experiment:
        """Return the experiment of what was tried, in that order, and others; its blend selects among them."""
        members = [member for member, step in self.tried if step.outcome != "failed"]
        folds = self._experiment.folds.model_copy(update={"repeats": cuts or self._cuts})
        settings = self._experiment.blend.model_copy(update={"methods": (ForwardSelection.title,)})
        update = {"members": (*members, *others), "blend": settings, "folds": folds}
        return self._experiment.model_copy(update=update)

    @property
    def tried(self) -> list[Tried]:
        """The candidates that were tried, each with its step; those of cuts are none."""
        steps = self.growth.steps
        return [(self._candidates[step.member], step) for step in steps if step.member in self._candidates]

    @property
    def _open(self) -> list[MemberSettings]:
        """Candidates that were not tried."""
        done = {step.member for step in self.growth.steps}
        return [member for name, member in self._candidates.items() if name not in done]

    def _resume(self) -> None:
        """Take the steps of earlier runs whose members are still as they were then; decisions are made again."""
        steps, self.growth.steps = self.growth.steps, []
        for step in steps:
            member = self._candidates.get(step.member)
            if member is not None and self._is_trained(member):
                offered = self._selection.offer(self._logits([member])[0])
                self._add(member.name, offered, step.expected, step.seconds, step.after)
        if self.growth.why:  # the run before came to its end: this one has patience of its own
            self.growth.earlier, self.growth.why = len(self.growth.steps), ""
        if self.growth.steps:
            self._context.board.log(f"resuming after {plural(len(self.growth.steps), 'candidate')} of earlier runs")

    def _try_next(self) -> str:
        """Try the next candidate; returns why there is none, or else an empty text."""
        if why := self._reason_to_end():
            return why
        member = self._next()
        if member is None:
            return _NONE_FITS
        return "" if self._try(member) else _TIME_IS_UP

    def _reason_to_end(self) -> str:
        """Return why no further candidate is tried; empty if one is."""
        if not self._open:
            return _ALL_TRIED
        own = any(member.name in self._own for member in self._open)
        outcomes = [step.outcome for step in self.growth.steps[self.growth.earlier :]]
        if not own and outcomes[-_PATIENCE:] == ["dropped"] * _PATIENCE:
            return _NOTHING_HELPS
        return _TIME_IS_UP if self._context.engine.time_is_up else ""

    def _next(self) -> MemberSettings | None:
        """Return the candidate that comes next, of the config's while one of them fits; None if none fits."""
        for own in (True, False):
            members = [member for member in self._open if (member.name in self._own) == own]
            if (found := self._chooser.next(members, self.tried)) is not None:
                return found
        return None

    def _try(self, member: MemberSettings) -> bool:
        """Train a candidate and decide about it; returns False where the time was up before."""
        began, expected, left = time.monotonic(), self._chooser.seconds(member, self.tried), self._limits.budget.left
        about = f", about {format_duration(expected)}" if math.isfinite(expected) else ""
        self._context.board.log(f"next: {member.name}{about}; {format_duration(left)} left")
        trained = self._train(self._context, [member], self.grown(member))
        if not trained and self._context.engine.time_is_up:
            return False
        self._chooser.measured(member)
        offered = self._selection.offer(self._logits([member])[0]) if trained else None
        self._add_new(member.name, offered, expected if math.isfinite(expected) else 0.0, began)
        return True

    def _try_cut(self) -> bool:
        """Train the members that were kept on a further cut of the folds, if there is time; return whether it helps."""
        members = [member for member, step in self.tried if step.outcome == "kept"]
        if not members:
            return False
        context, cuts, began = self._context, self._cuts + 1, time.monotonic()
        ledger, store = ledger_of_cut(context.ledger, self._cuts), store_of_cut(context.store, self._cuts)
        missing = [member for member, _ in plan_folds(members, ledger, context.competition, store).missing]
        expected = self._chooser.seconds_of_folds(missing)
        if missing and (context.engine.time_is_up or not self._chooser.fits(expected)):
            return False
        context.board.log(f"next: cut {cuts} of the folds, about {format_duration(expected)}")
        if not self._train(replace(context, ledger=ledger, store=store), members, self.grown(cuts=cuts)):
            self._begin(self.grown())
            return False
        step = self._selection.replace(self._logits(members, cuts))
        self._cuts += step.helps
        self._add_new(f"cut {cuts} of the folds", step, expected, began)
        return step.helps

    def _train(self, context: RunContext, members: Sequence[MemberSettings], experiment: Experiment) -> bool:
        """Train members in the store of a cut, as a part of an experiment; returns whether all folds are stored."""
        self._begin(experiment)
        if context.store is not self._context.store:
            begin_store(context.store, experiment, context.ledger, context.competition)
        live = LiveBlend(self._context.store, experiment, context.board)
        return train_all_folds(context, members, self._pixels, self._limits.timeout, live.fold_stored)

    def _add_new(self, name: str, found: Step | None, expected: float, began: float) -> None:
        """Add a step of this run, log it and store it."""
        step = self._add(name, found, expected, time.monotonic() - began, self._now())
        self._context.board.log(step.line())
        self._save()

    def _add(self, name: str, found: Step | None, expected: float, seconds: float, after: float) -> GrowthStep:
        """Add a step; without what was found it has failed."""
        step = GrowthStep(
            member=name,
            outcome="failed" if found is None else "kept" if found.helps else "dropped",
            expected=expected,
            seconds=seconds,
            gain=0.0 if found is None else found.gain,
            standard_error=0.0 if found is None else found.standard_error,
            log_loss=float(self._selection.losses.mean()),
            accuracy=self._selection.accuracy,
            after=after,
        )
        self.growth.steps.append(step)
        return step

    def _is_trained(self, member: MemberSettings) -> bool:
        context = self._context
        return not plan_folds([member], context.ledger, context.competition, context.store).missing

    def _logits(self, members: Sequence[MemberSettings], cuts: int = 1) -> list[Logits]:
        """Return the out-of-fold logits of members, each the mean over cuts of the folds."""
        folds = self._experiment.folds.model_copy(update={"repeats": cuts})
        experiment = self._experiment.model_copy(update={"members": tuple(members), "folds": folds})
        predictions = load_predictions(self._context.store, experiment)
        return [predictions.oof_logits[:, predictions.members.index(member.name)] for member in members]

    def _begin(self, experiment: Experiment) -> None:
        begin_store(self._context.store, experiment, self._context.ledger, self._context.competition)

    def _now(self) -> float:
        """Return the seconds since the ensemble began to grow, over all runs."""
        return self.growth.seconds + time.monotonic() - self._began

    def _save(self) -> None:
        """Store the steps so far."""
        replace(self.growth, seconds=self._now()).write(self._context.store)
