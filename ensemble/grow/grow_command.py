"""The command `ensemble grow`: as good an ensemble as fits into a time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ensemble.config.reading import load_experiment
from ensemble.core.console.options import ConfigArgument, DataOption, EngineOption, OofOption
from ensemble.grow.choosing import candidates
from ensemble.grow.grow import grow
from ensemble.store.oof import OofStore
from ensemble.training.budget import Limits


def main(
    config: ConfigArgument,
    budget: Annotated[str, typer.Option(help="Finish within this time, such as 2h.")],
    data: DataOption = Path("data"),
    oof: OofOption = Path("oof"),
    engine: EngineOption = "ray",
    portfolio: Annotated[Path, typer.Option(help="Another config, whose members are candidates too.")] = Path(
        "portfolio"
    ),
    timeout: Annotated[
        str | None, typer.Option(help="Cancel a fold that runs longer, such as 15min. Default: no limit.")
    ] = None,
) -> None:
    """Train candidates one by one, by expected gain a second, and keep those that improve the blend."""
    limits = Limits.parse(timeout, budget, time.monotonic(), option="--")
    experiment = load_experiment(config)
    members = candidates(experiment, load_experiment(portfolio).members)
    grow(experiment, members, data, OofStore(oof / experiment.name), engine, limits)
