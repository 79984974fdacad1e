"""Command `ensemble report`: the leaderboard, the members' pages and the report, from a store."""

from __future__ import annotations

from pathlib import Path

from ensemble.core.console.console import make_console, run, say
from ensemble.core.console.options import OofOption, StoreArgument, StoredDataOption
from ensemble.report.publish import publish
from ensemble.store.opening import competition_of, find_store


def main(
    store: StoreArgument = None,
    oof: OofOption = Path("oof"),
    data: StoredDataOption = None,
) -> None:
    """Write the report, the leaderboard and the members' pages from what the store holds; print the leaderboard."""
    found, experiment = find_store(store, oof, say)
    competition = None if data is None else competition_of(found, experiment.data, data)
    publish(found, make_console(), experiment, competition=competition)


if __name__ == "__main__":
    run(main)
