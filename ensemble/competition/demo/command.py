"""The command `ensemble demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.competition.demo.plan import SMALLEST_TEST, SMALLEST_TRAIN
from ensemble.competition.demo.write import ARCHIVE, MARKER, SUBMIT_CSV, TRAIN_CSV, write_demo

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to; created if it does not exist.")]
Train = Annotated[int, typer.Option(min=SMALLEST_TRAIN, help="Training photographs.")]
Test = Annotated[int, typer.Option(min=SMALLEST_TEST, help="Test photographs.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed and sizes give the same bytes.")]


def main(folder: Folder, train: Train = 240, test: Test = 120, seed: Seed = 0) -> None:
    """Write a small synthetic competition to try the programs with. It says nothing about real photographs."""
    write_demo(folder, train, test, seed)
    typer.echo(f"{folder / ARCHIVE}: {train} training and {test} test photographs of 256 x 256 px, half of them fake")
    typer.echo(f"{folder / TRAIN_CSV}: the answers of the training photographs (1 fake, 0 real)")
    typer.echo(f"{folder / SUBMIT_CSV}: the example to be filled in")
    typer.echo(f"{folder / MARKER}: all of it is synthetic; a score on it says nothing about real photographs")
