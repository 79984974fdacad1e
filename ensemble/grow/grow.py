"""An ensemble that grows until the time is up: candidates are trained one by one, and kept if the blend gains by them.

All candidates that were tried stay in the store, and the blend selects among them (`forward`). So its nested score
counts what is kept and dropped: in each part that is decided without the rows that are scored. What was tried, and in
which order, was decided with all rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from ensemble.audit.pseudo_labels import check_pseudo_labels
from ensemble.blend.run import blend
from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import plural
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.storage.lock import only_writer
from ensemble.engine.choose import engine_maker
from ensemble.grow.growing import Growing
from ensemble.report.publish import publish
from ensemble.store.context import RunContext
from ensemble.store.oof import SUBMISSION, OofStore
from ensemble.store.opening import begin_store, prepare_to_try
from ensemble.store.predictions import load_predictions
from ensemble.store.replacing import only_trainer
from ensemble.training.budget import Limits
from ensemble.training.checks import check_members
from ensemble.training.plan import check_not_imported


def grow(
    experiment: Experiment,
    candidates: Sequence[MemberSettings],
    data: Location,
    store: OofStore,
    engine_name: str,
    limits: Limits,
) -> None:
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
            "ensemble grow begins with one cut of the folds, and takes others if they help; set folds.repeats to 1"
        )
    check_members(candidates)
    with only_trainer(store):
        competition = Competition.open(data, experiment.data)
        check_not_imported(candidates, store)
        pixels, ledger = prepare_to_try(experiment, competition, store, board)
        with make_engine() as engine:
            engine.deadline = limits.budget.deadline
            context = RunContext(competition, ledger, store, engine, board)
            candidates, unable = engine.fit_to_hardware(candidates)
            for name, reason in unable.items():
                board.log(f"{name} cannot run: {reason}")
            check_pseudo_labels(candidates, experiment, context, pixels)
            growing = Growing(experiment, context, pixels, limits, candidates)
            growing.run()
        _finish(growing, context)


def _finish(growing: Growing, context: RunContext) -> None:
    """Blend what was tried, and write the report."""
    store, board, growth, experiment = context.store, context.board, growing.growth, growing.grown()
    if not experiment.members:
        remedy = "the log says why each one failed" if growth.steps else "give it more time"
        raise UserError(f"no candidate could be trained ({growth.why}); {remedy}")
    begin_store(store, experiment, context.ledger, context.competition)
    predictions = load_predictions(store, experiment)
    elsewhere = [name for name in store.imported() if name in predictions.members]
    if elsewhere:
        board.log(f"{', '.join(elsewhere)}: imported, and not among what has grown")
    with only_writer(store.root, "blend"):
        blend(store, experiment, predictions=predictions.without(elsewhere))
    publish(store, board.console, experiment, competition=context.competition)
    kept = [member.name for member, step in growing.tried if step.outcome == "kept"]
    board.log(f"{plural(len(growing.tried), 'candidate')} tried, {len(kept)} kept: {', '.join(kept) or 'none'}")
    board.log(f"submission: {store.blend_folder / SUBMISSION}")
