"""python -m ensemble.report: the leaderboard and the members' pages, from the store alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.console import make_console, run
from ensemble.files import Location, location
from ensemble.report import publish
from ensemble.stores import find_store


def main(
    store: Annotated[
        Location | None,
        typer.Argument(parser=location, metavar="STORE", help="A store or a config; default: the newest store."),
    ] = None,
    oof: Annotated[Location, typer.Option(parser=location, metavar="PATH", help="Root of the stores.")] = Path("oof"),
) -> None:
    """Write leaderboard.csv, leaderboard.md and the members' report.md, and print the leaderboard."""
    found, experiment = find_store(store, oof)
    publish(found, make_console(), experiment)


if __name__ == "__main__":
    run(main)
