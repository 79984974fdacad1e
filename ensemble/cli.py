"""The console script `ensemble`: the same verbs as `python -m ensemble.VERB`."""

from __future__ import annotations

import typer

from ensemble.console import guarded, start


def main() -> None:
    """Run `ensemble VERB`."""
    from ensemble.audit.__main__ import main as audit
    from ensemble.blend.__main__ import app as blend
    from ensemble.demo import main as demo
    from ensemble.folds.__main__ import app as folds
    from ensemble.report.__main__ import main as report
    from ensemble.train import main as train

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
    for name, command in (("demo", demo), ("audit", audit), ("train", train), ("report", report)):
        app.command(name)(guarded(command))
    app.add_typer(blend, name="blend")
    app.add_typer(folds, name="folds")
    start(app)
