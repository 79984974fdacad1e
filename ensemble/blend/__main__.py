"""python -m ensemble.blend: the submission, and how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.blend.manifest import rebuild
from ensemble.blend.run import blend
from ensemble.console import make_console, run
from ensemble.lock import only_writer
from ensemble.oof import SUBMISSION
from ensemble.report import publish
from ensemble.stores import find_store


def main(
    store: Annotated[Path | None, typer.Argument(help="A store or a config; default: the newest store.")] = None,
    oof: Annotated[Path, typer.Option(help="Root of the stores.")] = Path("oof"),
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the submission here.")] = None,
    rebuild_from: Annotated[
        Path | None,
        typer.Option("--rebuild", metavar="BLEND.JSON", help="Make the submission of this manifest again."),
    ] = None,
) -> None:
    """Fit several blenders on the out-of-fold predictions, choose one by its nested score, and write submit.csv."""
    found, experiment = find_store(store, oof)
    console = make_console()
    if rebuild_from is not None:
        target = output or rebuild_from.with_name(SUBMISSION)
        console.print(f"{target} rebuilt, sha256 {rebuild(rebuild_from, found, target)}", markup=False)
        return
    with only_writer(found, "blend"):
        result = blend(found, experiment, output)
    publish(found, console, experiment)
    console.print(result["reason"], markup=False)
    console.print(f"submission: {output or found.blend_folder / SUBMISSION}", markup=False)


if __name__ == "__main__":
    run(main)
