"""Command `ensemble report`: the leaderboard, the members' pages and the report, from a store."""

from __future__ import annotations

from pathlib import Path

from ensemble.competition.dataset import Competition
from ensemble.core.console.console import make_console, run, say
from ensemble.core.console.options import OofOption, StoreArgument, StoredDataOption
from ensemble.core.errors import UserError
from ensemble.report.publish import publish
from ensemble.store.opening import find_store


def main(
    store: StoreArgument = None,
    oof: OofOption = Path("oof"),
    data: StoredDataOption = None,
) -> None:
    """Write the report, the leaderboard and the members' pages from what the store holds; print the leaderboard."""
    found, experiment = find_store(store, oof, say)
    competition = None if data is None else Competition.open(data, experiment.data)
    if competition is not None and competition.sha256 != found.facts()["sha256"]:
        raise UserError(f"{data} is not the competition that {found.root} was trained on; give that one")
    publish(found, make_console(), experiment, competition=competition)


if __name__ == "__main__":
    run(main)
