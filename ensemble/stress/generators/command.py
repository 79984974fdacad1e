"""The command `ensemble generators`: members on clusters of fakes that they did not learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.core.console.progress import ProgressBoard
from ensemble.core.storage.files import Location, location
from ensemble.report.anew import report_anew
from ensemble.store.find import find_store
from ensemble.stress.generators.run import leave_clusters_out


def main(
    store: Annotated[
        Location | None,
        typer.Argument(parser=location, metavar="STORE", help="A store or a config; default: the newest store."),
    ] = None,
    data: Annotated[
        Location | None,
        typer.Option(
            parser=location,
            metavar="PATH",
            help="The competition that the store was trained on; default: where it was then.",
        ),
    ] = None,
    oof: Annotated[Location, typer.Option(parser=location, metavar="PATH", help="Root of the stores.")] = Path("oof"),
    engine: Annotated[str, typer.Option(help="ray (local, or the cluster in RAY_ADDRESS) or inline.")] = "ray",
    clusters: Annotated[
        int | None,
        typer.Option(min=2, max=20, help="How many; default: those of the last run, else the number that fits best."),
    ] = None,
    members: Annotated[str, typer.Option(help="Train only these members, separated by commas.")] = "",
) -> None:
    """Cluster the fakes by spectrum, train every member without each cluster, and score it on that cluster.

    The scores are compared with those of the same member on the same photographs in random folds. Finished work is
    not done again.
    """
    found, experiment = find_store(store, oof)
    complete = leave_clusters_out(found, experiment, members, data, engine, clusters)
    report_anew(found, experiment, ProgressBoard().log)
    if not complete:
        raise typer.Exit(1)
