"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location


def parsed_location(text: str) -> Location:
    """Parse a path or an address of the command line."""
    try:
        return location(text)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None


STORE_HELP = "A store or a config; default: the newest store."

ConfigArgument = Annotated[
    Path, typer.Argument(help="The experiment: a YAML file, or a config that comes with the package, such as demo.")
]
StoreArgument = Annotated[Location | None, typer.Argument(parser=parsed_location, metavar="STORE", help=STORE_HELP)]
BundleArgument = Annotated[
    Location,
    typer.Argument(parser=parsed_location, metavar="BUNDLE", help="A bundle: a folder, a .zip, or an address."),
]
OofOption = Annotated[
    Location,
    typer.Option(parser=parsed_location, metavar="PATH", help="Root of the stores, such as oof or s3://bucket/oof."),
]
DataOption = Annotated[
    Location,
    typer.Option(
        parser=parsed_location,
        metavar="PATH",
        help="Folder with the archive (or train/, test/) and the two tables; or the archive; or an address of it.",
    ),
]
StoredDataOption = Annotated[
    Location | None,
    typer.Option(
        parser=parsed_location,
        metavar="PATH",
        help="The competition that the store was trained on; default: where training read it, if it still exists.",
    ),
]
EngineOption = Annotated[str, typer.Option(help="ray (local, or the cluster in RAY_ADDRESS) or inline.")]
MembersOption = Annotated[str, typer.Option(help="Only these members, separated by commas; default: all.")]
