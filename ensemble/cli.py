"""The console script `ensemble`: the same verbs as `python -m ensemble.VERB`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from ensemble.console import guarded, start


def main() -> None:
    """Run `ensemble VERB`."""
    from ensemble.audit.__main__ import main as audit
    from ensemble.blend.__main__ import app as blend
    from ensemble.demo import main as demo
    from ensemble.folds.__main__ import app as folds
    from ensemble.generators.__main__ import main as generators
    from ensemble.report.__main__ import main as report
    from ensemble.robustness.__main__ import main as robustness
    from ensemble.train import main as train

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
    commands: dict[str, Callable[..., Any]] = {
        "demo": demo,
        "audit": audit,
        "train": train,
        "report": report,
        "robustness": robustness,
        "generators": generators,
    }
    for name, command in commands.items():
        app.command(name)(guarded(command))
    app.add_typer(blend, name="blend")
    app.add_typer(folds, name="folds")
    start(app)
