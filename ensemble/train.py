"""The command `ensemble train`: every (member, fold) pair that is not finished, on an engine, into the store."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.config.reading import load_experiment
from ensemble.config.settings import Recipe
from ensemble.core.arrays import Pixels
from ensemble.core.console.console import run
from ensemble.core.console.options import ConfigArgument, DataOption, EngineOption, MembersOption, OofOption
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import first_few, plural
from ensemble.core.errors import UserError, reason
from ensemble.core.storage.files import Location
from ensemble.engine.choose import engine_maker
from ensemble.engine.features.table import FeatureTable
from ensemble.engine.recipes.build import build
from ensemble.engine.tasks.failures import Failure
from ensemble.folds.ledger import FoldLedger
from ensemble.report.publish import publish
from ensemble.store.columns import SPECTRA, columns_missing, make_columns, write_columns
from ensemble.store.context import RunContext
from ensemble.store.oof import COLUMNS, SUBMISSION, OofStore
from ensemble.store.opening import begin_store, has_folds, prepare
from ensemble.store.repeats import ledger_of_cut, store_of_cut
from ensemble.store.replacing import only_trainer
from ensemble.training.budget import UNLIMITED, Limits
from ensemble.training.checks import check_members
from ensemble.training.execute import Training, train_folds
from ensemble.training.plan import Plan, check_not_imported, choose_members, plan_folds
from ensemble.training.speeds import speeds_of

if TYPE_CHECKING:
    from ensemble.blend.live import LiveBlend


def main(
    config: ConfigArgument,
    data: DataOption = Path("data"),
    oof: OofOption = Path("oof"),
    engine: EngineOption = "ray",
    members: MembersOption = "",
    timeout: Annotated[
        str | None,
        typer.Option(
            help="Cancel a fold that runs longer, such as 90s, 15min, 1h30m; the others continue. Default: no limit."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Finish within this time, such as 2h: whole members, the most valuable first. Default: no limit."
        ),
    ] = None,
) -> None:
    """Train every member on every fold; finished folds are not trained again."""
    started = time.monotonic()
    experiment = load_experiment(config)
    chosen = choose_members(experiment, members)
    limits = Limits.parse(timeout, budget, started, option="--")
    if not train(experiment, chosen, data, OofStore(oof / experiment.name), engine, limits):
        raise typer.Exit(1)


def train(
    experiment: Experiment,
    members: list[MemberSettings],
    data: Location,
    store: OofStore,
    engine_name: str,
    limits: Limits = UNLIMITED,
) -> bool:
    """Bring the store up to date within limits; return whether all folds are stored that the budget has room for."""
    started, board, make_engine = time.time(), ProgressBoard(), engine_maker(engine_name)
    if not store.exists():
        check_members(members)
        if experiment.blend.columns is not None:
            build(experiment.blend.columns)
    with only_trainer(store):
        competition = Competition.open(data, experiment.data)
        pixels, ledger = prepare(experiment, competition, store, board)
        if others := _others(store, experiment):
            board.log(f"in {store.root}, but not in this config, and so left out from now on: {first_few(others)}")
        cuts = [
            _begin(experiment, members, competition, store, ledger, number)
            for number in range(experiment.folds.repeats)
        ]
        missing, finished = (sum(len(getattr(cut.plan, kind)) for cut in cuts) for kind in ("missing", "finished"))
        for line in (line for cut in cuts for line in cut.plan.lines):
            board.log(line)
        complete, columns = True, _columns_to_make(experiment, competition, store)
        if missing or columns:
            board.log(f"{plural(missing, 'fold')} to train, {finished:,} finished already")
            live = _live_blend(experiment, store, board)
            with make_engine() as engine:
                engine.deadline = limits.budget.deadline
                pixels = competition.decode() if pixels is None else pixels
                speeds = speeds_of(store, [member.name for member in members], ledger.n_folds)
                for number, cut in enumerate(cuts):
                    context = RunContext(competition, cut.ledger, cut.store, engine, board)
                    training = Training(context, cut.plan, pixels, limits, live.fold_stored, speeds)
                    if number == 0:
                        complete &= _train_first_cut(training, started, experiment, columns)
                    elif cut.plan.missing and not engine.time_is_up:
                        board.log(f"the folds cut again, {number + 1} of {len(cuts)}")
                        complete &= train_folds(training, time.time())
            live.refresh()
        else:
            board.log(f"nothing to do: all {plural(finished, 'fold')} of {store.root} are finished")
        if not store.exists():
            raise UserError(f"{store.root} was removed while this ran; run the same command again")
        _publish(experiment, competition, store, board)
    return complete


def _others(store: OofStore, experiment: Experiment) -> list[str]:
    """Return members that the store was last trained for, such as those of a grown one, and that are not wanted now."""
    named = {member.name for member in experiment.members}
    with suppress(UserError):
        return [member.name for member in store.experiment().members if member.name not in named]
    return []


@dataclass(frozen=True)
class _Cut:
    """A cut of the folds: its store, and what is to be done."""

    store: OofStore
    ledger: FoldLedger
    plan: Plan


def _begin(
    experiment: Experiment,
    members: list[MemberSettings],
    competition: Competition,
    store: OofStore,
    ledger: FoldLedger,
    number: int,
) -> _Cut:
    """Begin the store of a cut, the first of which is that of the experiment."""
    own, folds = store_of_cut(store, number), ledger_of_cut(ledger, number)
    check_not_imported(members, own)
    plan = plan_folds(members, folds, competition, own)
    check_members(plan.members)  # finished ones were checked when they were trained
    begin_store(own, experiment, folds, competition)
    return _Cut(own, folds, plan)


def _train_first_cut(training: Training, started: float, experiment: Experiment, columns: Recipe | None) -> bool:
    """Train, with what is made of the photographs once: columns for blenders, and the audits."""
    context, pixels = training.context, training.pixels
    if any(member.pseudo_labels for member in training.plan.members):
        from ensemble.audit.pseudo_labels import check_pseudo_labels  # most runs need not wait for it

        check_pseudo_labels(training.plan.members, experiment, context, pixels)
    if columns and training.limits.budget.limited:  # which counts members alone
        make_columns(columns, context, pixels)
    elif columns:
        training.compute_first(columns, partial(_write_columns, context, columns, COLUMNS))
    audits = _audit(training, experiment, pixels) if training.plan.missing else []
    complete = train_folds(training, started)
    for thread in audits:
        thread.join()
    return complete


def _live_blend(experiment: Experiment, store: OofStore, board: ProgressBoard) -> LiveBlend:
    from ensemble.blend.live import LiveBlend  # here, since a run that has nothing to do should not import it

    return LiveBlend(store, experiment, board)


def _columns_to_make(experiment: Experiment, competition: Competition, store: OofStore) -> Recipe | None:
    """Return the recipe of columns that blenders read and the store lacks; a wrong one is an error at once."""
    columns = experiment.blend.columns
    if columns is None or not columns_missing(columns, competition, store):
        return None
    build(columns)
    return columns


def _write_columns(context: RunContext, recipe: Recipe, file: str, found: FeatureTable | Failure) -> None:
    """Write columns of the photographs into the store; an error of the transformer is logged, and no member fails."""
    if isinstance(found, Failure):
        context.board.log(f"{file} could not be made: {found.cause}")
        return
    try:
        write_columns(recipe, context, np.asarray(found.values()), file)
    except (OSError, UserError) as error:  # a full disk, say: no member needs them
        context.board.log(f"{file} could not be stored: {reason(error)}")


def _audit(training: Training, experiment: Experiment, pixels: Pixels) -> list[Thread]:
    """Audit the data before hours are spent on members that may learn a shortcut.

    Spectra of all photographs are computed first; with a budget there are none. Where workers train the members, a
    thread runs the audits meanwhile; it will be in the list that is returned.
    """
    from ensemble.audit.run import Subject, audit_and_log, needs_spectra  # a run with nothing to do should not wait

    context, spectra = training.context, experiment.report.spectra
    subject = Subject(context.competition, context.ledger, experiment, context.store)

    def audit(found: FeatureTable | Failure | None = None) -> None:
        if found is not None:
            _write_columns(context, spectra, SPECTRA, found)
        audit_and_log(subject, context.engine, context.board, pixels)

    def audit_beside(found: FeatureTable | Failure) -> None:
        threads.append(Thread(target=audit, args=(found,), daemon=True))  # no Ctrl-C waits for it
        threads[-1].start()

    threads: list[Thread] = []
    if training.limits.budget.limited or not needs_spectra(subject):
        audit()
    else:
        training.compute_first(spectra, audit_beside if context.engine.has_workers else audit)
    return threads


def _publish(experiment: Experiment, competition: Competition, store: OofStore, board: ProgressBoard) -> None:
    """Write and print what is known, and end with the submission and the command that comes next."""
    if not has_folds(store):
        board.log(f"no fold was trained; the errors are in {store.root}/members/*/fold-*.error.txt")
        return
    try:
        publish(store, board.console, experiment, competition=competition)
    except (OSError, UserError) as error:  # a full disk, say: the stored folds are as good
        board.log(f"the report could not be written: {reason(error)}")
    submission = store.blend_folder / SUBMISSION
    if submission.exists():
        board.log(f"submission: {submission}")
    board.log(f"next, to choose among all blenders: ensemble blend {store.root}")


if __name__ == "__main__":
    run(main)
