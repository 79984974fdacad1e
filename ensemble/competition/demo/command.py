"""The command `ensemble demo`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ensemble.competition.demo.plan import SMALLEST_TEST, SMALLEST_TRAIN
from ensemble.competition.demo.write import ARCHIVE, SUBMIT_CSV, TRAIN_CSV, write_demo
from ensemble.competition.layout import SYNTHETIC_MARKER
from ensemble.core.console.durations import format_duration

_EVERY_SECONDS = 10.0
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to; created if it does not exist.")]
Train = Annotated[int, typer.Option(min=SMALLEST_TRAIN, help="Training photographs.")]
Test = Annotated[int, typer.Option(min=SMALLEST_TEST, help="Test photographs.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed and sizes give the same bytes.")]


def main(folder: Folder, train: Train = 240, test: Test = 120, seed: Seed = 0) -> None:
    """Write a small competition of synthetic pictures to try the commands with; scores on it mean nothing."""
    write_demo(folder, train, test, seed, _Progress(train + test))
    typer.echo(f"{folder / ARCHIVE}: {train} training and {test} test photographs of 256 x 256 px, half of them fake")
    typer.echo(f"{folder / TRAIN_CSV}: the answers of the training photographs (1 fake, 0 real)")
    typer.echo(f"{folder / SUBMIT_CSV}: the example to be filled in")
    typer.echo(
        f"{folder / SYNTHETIC_MARKER}: all pictures are synthetic; a score on them means nothing for photographs"
    )


class _Progress:
    """Progress of the demo: how many photographs are made, every ten seconds."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.started = self.last = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self.last < _EVERY_SECONDS:
            return
        self.last = now
        left = (now - self.started) / done * (self.total - done)
        typer.echo(f"{done:,} of {self.total:,} photographs, about {format_duration(left)} left")
