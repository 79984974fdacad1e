"""The command `ensemble tune`: better settings of one member."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ensemble.config.reading import load_experiment
from ensemble.core.console.options import ConfigArgument, DataOption, EngineOption, OofOption
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.grow.tune import tune
from ensemble.report.publish import update_report
from ensemble.store.oof import OofStore
from ensemble.store.opening import has_folds
from ensemble.training.budget import Limits
from ensemble.training.plan import choose_members


def main(
    config: ConfigArgument,
    member: Annotated[str, typer.Option(help="The member to tune.")],
    data: DataOption = Path("data"),
    oof: OofOption = Path("oof"),
    engine: EngineOption = "ray",
    budget: Annotated[
        str | None, typer.Option(help="Finish within this time, such as 1h; this or --trials is needed.")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of trials, those of earlier runs included; default: as many as the budget allows."
        ),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="Cancel a fold that runs longer, such as 90s. Default: no limit.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Address of an Optuna storage that several runs share; default: a file in the store."),
    ] = None,
) -> None:
    """Search for better settings of a member, on separate folds; the same command continues the search."""
    started = time.monotonic()
    if budget is None and trials is None:
        raise UserError("give --budget, --trials or both, such as --budget 1h")
    experiment = load_experiment(config)
    chosen = choose_members(experiment, member, "--member")
    if len(chosen) != 1:
        raise UserError(f"--member takes one member, not {member}")
    limits = Limits.parse(timeout, budget, started, option="--")
    store = OofStore(oof / experiment.name)
    tune(experiment, chosen[0], data, store, engine, limits, trials, storage)
    if has_folds(store):
        update_report(store, experiment, ProgressBoard().log)
