"""The command `ensemble bundle`: a trained store as one folder or zip that later versions can read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ensemble.core.console.console import make_console, say, verbs
from ensemble.core.console.options import BundleArgument, OofOption, StoreArgument, StoredDataOption
from ensemble.core.console.status import StatusLine
from ensemble.core.storage.files import location
from ensemble.core.storage.lock import only_writer
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.info import info_lines


def make(
    store: StoreArgument = None,
    out: Annotated[
        str,
        typer.Option(
            "-o", "--output", help="The bundle to write: a folder, or a file that ends in .zip; default: NAME.bundle."
        ),
    ] = "",
    data: StoredDataOption = None,
    oof: OofOption = Path("oof"),
    photographs: Annotated[
        int, typer.Option(min=0, help="How many training photographs the error rates are measured on; 0 for all.")
    ] = 500,
    max_ms_per_photo: Annotated[
        float | None,
        typer.Option(
            min=0, help="Keep the best members that need at most this many milliseconds on one thread. Default: all."
        ),
    ] = None,
) -> None:
    """Put the blend of a store into a bundle: its models, error rates of its verdicts, and a model card."""
    from ensemble.store.opening import find_store  # a small installation knows info alone

    found, experiment = find_store(store, oof, say)
    from ensemble.predict.making.inputs import open_inputs
    from ensemble.predict.making.run import BundleMaker
    from ensemble.predict.making.writing import check_target

    path = location(out or f"{experiment.name}.bundle")
    check_target(path)
    console = make_console()
    with StatusLine(console) as status, only_writer(path, "bundle"):
        inputs = open_inputs(found, experiment, data, status, max_ms_per_photo)
        manifest = BundleMaker(inputs, photographs, status).make(path)
    console.print("\n".join(info_lines(manifest)), markup=False)
    if max_ms_per_photo is not None and manifest.milliseconds > max_ms_per_photo:
        console.print(
            f"WARNING: a photograph takes {manifest.milliseconds:.0f} ms on one thread here, not {max_ms_per_photo:g}; "
            "in training the members were faster, on a GPU or several threads, say: give a smaller --max-ms-per-photo",
            markup=False,
        )
    console.print(f"bundle: {path}", markup=False)


def info(bundle: BundleArgument) -> None:
    """Show what a bundle holds, from its manifest alone."""
    sys.stdout.write("\n".join(info_lines(BundleFiles(bundle).manifest)) + "\n")


app = verbs({"make": make, "info": info}, "Make a bundle of a store, or show what one holds.", default="make")
