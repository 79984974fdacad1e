"""The console script `ensemble`: the same verbs as `python -m ensemble.VERB`."""

from __future__ import annotations

import typer

from ensemble.console import guarded


def main() -> None:
    """Run `ensemble VERB`."""
    from ensemble.blend.__main__ import main as blend
    from ensemble.demo import main as demo
    from ensemble.report.__main__ import main as report
    from ensemble.train import main as train

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
    for name, command in (("demo", demo), ("train", train), ("blend", blend), ("report", report)):
        app.command(name)(guarded(command))
    app()
