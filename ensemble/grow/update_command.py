"""The command `ensemble update`: a store of more labelled photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.core.console.console import say
from ensemble.core.console.options import DataOption, EngineOption, OofOption, StoreArgument
from ensemble.core.console.text import listed
from ensemble.grow.update import update
from ensemble.store.opening import find_store


def main(
    store: StoreArgument = None,
    data: DataOption = Path("data"),
    oof: OofOption = Path("oof"),
    engine: EngineOption = "ray",
    again: Annotated[
        str,
        typer.Option(help="Members to train again on all photographs instead of keeping them, separated by commas."),
    ] = "",
) -> None:
    """Add labelled photographs to a store: its folds stay, and its stored models predict the new photographs."""
    found, _ = find_store(store, oof, say)
    update(found, data, engine, listed(again))
