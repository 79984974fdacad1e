"""ensemble train: every (member, fold) pair that is not finished yet, on an engine, into the store."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

import typer

from ensemble.competition.dataset import Competition
from ensemble.config import Experiment, MemberSettings, load_experiment
from ensemble.core.console.console import run
from ensemble.core.console.durations import parse_duration
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location
from ensemble.core.storage.lock import only_writer
from ensemble.engine.choose import engine_maker
from ensemble.engine.recipes.build import build
from ensemble.report.publish import publish
from ensemble.store.columns import columns_missing, make_columns
from ensemble.store.oof import OofStore
from ensemble.store.opening import facts_of, note_photographs, prepare
from ensemble.training.budget import UNLIMITED, Budget, Limits
from ensemble.training.checks import check_members
from ensemble.training.execute import Execution, train_missing
from ensemble.training.plan import choose_members, plan_folds


def main(
    config: Annotated[Path, typer.Argument(help="The experiment, a YAML file such as configs/demo.yaml.")],
    data: Annotated[
        Location,
        typer.Option(
            parser=location,
            metavar="PATH",
            help="Folder with the archive (or train/, test/) and the two tables; or the archive; or an address of it.",
        ),
    ] = Path("data"),
    oof: Annotated[
        Location,
        typer.Option(
            parser=location,
            metavar="PATH",
            help="Root of the stores, such as oof or s3://bucket/oof; this run's is OOF/<name in the config>.",
        ),
    ] = Path("oof"),
    engine: Annotated[str, typer.Option(help="ray (local, or the cluster in RAY_ADDRESS) or inline.")] = "ray",
    members: Annotated[str, typer.Option(help="Train only these members, separated by commas.")] = "",
    timeout: Annotated[
        str | None, typer.Option(help="End a fold that runs longer, such as 90s, 15min, 1h30m; the others go on.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Be done in that time, such as 2h: whole members that fit, the most valuable first."),
    ] = None,
) -> None:
    """Train every member on every fold; what is finished already is not done again."""
    started = time.monotonic()
    experiment = load_experiment(config)
    chosen = choose_members(experiment, members)
    limits = Limits(
        math.inf if timeout is None else parse_duration(timeout, "--timeout"),
        Budget(math.inf if budget is None else parse_duration(budget, "--budget"), started),
    )
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
    """Bring the store up to date with the experiment, within limits.

    Returns whether every fold is there that was asked for and that the budget has room for.
    """
    started = time.time()
    board = ProgressBoard()
    make_engine = engine_maker(engine_name)
    if not store.exists():
        check_members(members)
    with only_writer(store.root, "train"):
        competition = Competition.open(data, experiment.data)
        pixels, ledger = prepare(experiment, competition, store, board)
        plan = plan_folds(members, ledger, competition, store)
        check_members(plan.members)  # finished ones have proven themselves: a second run need not import torch
        store.begin(experiment, ledger, competition.sample, facts_of(competition))
        note_photographs(store, competition)
        for line in plan.reasons:
            board.log(line)
        complete, columns = True, experiment.blend.columns
        to_make = columns if columns_missing(columns, competition, store) else None
        if to_make:
            build(to_make)  # a wrong path or parameter is told before anything runs
        if plan.missing or to_make:
            board.log(f"{len(plan.missing)} folds to train, {len(plan.kept)} finished already")
            from ensemble.audit.run import (
                Subject,
                audit_and_log,
            )  # a run that has nothing to do should not wait for these
            from ensemble.blend.live import LiveBlend

            pixels, live = competition.decode() if pixels is None else pixels, LiveBlend(store, experiment, board)
            quick = limits.budget.limited
            with make_engine() as engine:
                engine.deadline = limits.budget.deadline
                if plan.missing:
                    subject = Subject(competition, ledger, experiment, store)
                    audit_and_log(subject, engine, board, pixels, quick)
                if to_make:
                    make_columns(to_make, competition, pixels, ledger, engine, store, board)
                execution = Execution(plan, competition, ledger, store, engine, board, live.fold_stored)
                complete = train_missing(execution, pixels, engine_name, limits, started)
            live.refresh()
        else:
            board.log(f"nothing to do: all {len(plan.kept)} folds of {store.root} are finished")
        try:
            publish(store, board.console, experiment, competition=competition)
        except (OSError, UserError) as error:  # a full disk, say: the folds that are there are as good
            board.log(f"the report could not be written: {error}")
    return complete


if __name__ == "__main__":
    run(main)
