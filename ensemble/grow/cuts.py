"""Further cuts of the folds as candidates: the members that were kept are trained again, on folds of another seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.arrays import Logits, Pixels
from ensemble.store.context import RunContext
from ensemble.store.opening import begin_store
from ensemble.store.predictions import load_predictions
from ensemble.store.repeats import cut_of, ledger_of_cut
from ensemble.training.budget import Limits
from ensemble.training.execute import Training, train_folds
from ensemble.training.plan import plan_folds
from ensemble.training.run_log import RunLog


def train_cut(
    context: RunContext,
    experiment: Experiment,
    members: Sequence[MemberSettings],
    pixels: Pixels,
    number: int,
    timeout: float,
    on_stored: Callable[[], None],
) -> bool:
    """Train members on a further cut of the folds; returns whether all their folds are stored."""
    ledger, store = ledger_of_cut(context.ledger, number), cut_of(context.store, number)
    begin_store(store, experiment, ledger, context.competition)
    here = replace(context, ledger=ledger, store=store)
    plan = plan_folds(list(members), ledger, context.competition, store)
    if plan.missing:
        train_folds(Training(here, plan, pixels, Limits(timeout), on_stored), RunLog(store))
    return not plan_folds(list(members), ledger, context.competition, store).missing


def averaged_logits(context: RunContext, experiment: Experiment, members: Sequence[MemberSettings]) -> list[Logits]:
    """Return the logits of members, each the mean over the cuts that the experiment has."""
    predictions = load_predictions(context.store, experiment)
    return [predictions.oof_logits[:, predictions.members.index(member.name)] for member in members]
