"""The command `ensemble generators`: members on clusters of fakes that they did not learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.core.console.console import say
from ensemble.core.console.options import EngineOption, MembersOption, OofOption, StoreArgument, StoredDataOption
from ensemble.core.console.progress import ProgressBoard
from ensemble.report.publish import update_report
from ensemble.store.opening import find_store
from ensemble.stress.generators.run import leave_clusters_out


def main(
    store: StoreArgument = None,
    data: StoredDataOption = None,
    oof: OofOption = Path("oof"),
    engine: EngineOption = "ray",
    clusters: Annotated[
        int | None,
        typer.Option(
            min=2, max=20, help="Number of clusters; default: that of the last run, else the one that fits best."
        ),
    ] = None,
    members: MembersOption = "",
) -> None:
    """Cluster the fakes by spectrum, train every member without each cluster, and score it on that cluster.

    The scores are compared with those of the same member on the same photographs in random folds. Finished work is
    not done again.
    """
    found, experiment = find_store(store, oof, say)
    complete = leave_clusters_out(found, experiment, members, data, engine, clusters)
    update_report(found, experiment, ProgressBoard().log)
    if not complete:
        raise typer.Exit(1)
