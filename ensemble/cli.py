"""Console script `ensemble`. The module of a verb is imported only when that verb is called.

Everywhere else imports stand at the top of a module. The exceptions: commands, and libraries that take more than 0.1 s
and that most commands do not need (torch, LightGBM, Optuna, SciPy, scikit-learn, skops).
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Annotated

import typer

from ensemble.core.console.console import HELP, guarded, start

VERBS = {
    "demo": "ensemble.competition.demo.command",
    "audit": "ensemble.audit.command",
    "train": "ensemble.train",
    "blend": "ensemble.blend.__main__",
    "report": "ensemble.report.__main__",
    "robustness": "ensemble.stress.robustness.command",
    "generators": "ensemble.stress.generators.command",
    "folds": "ensemble.store.folds_command",
    "tune": "ensemble.grow.tune_command",
    "grow": "ensemble.grow.grow_command",
    "update": "ensemble.grow.update_command",
    "bundle": "ensemble.predict.making.command",
    "predict": "ensemble.predict.command",
    "serve": "ensemble.serve.command",
}


def main() -> None:
    """Run `ensemble VERB`. While modules are imported, Ctrl-C ends it at once, without a traceback."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    app = make_app(sys.argv[1] if len(sys.argv) > 1 else "")
    signal.signal(signal.SIGINT, before)
    start(app)


def make_app(verb: str = "") -> typer.Typer:
    """Build the command line with one verb, or with all of them if `verb` is not one of them."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, context_settings=HELP)
    app.callback()(_about)
    for name in [verb] if verb in VERBS else VERBS:
        try:
            module = importlib.import_module(VERBS[name])
        except ModuleNotFoundError as error:
            if str(error.name).startswith(("ensemble", "members")):
                raise
            if verb in VERBS:
                sys.stderr.write(f"ensemble {verb} needs {error.name}, which is not installed here\n")
                raise SystemExit(2) from None
            continue  # a small installation, which predicts only: the help lists what it can do
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(guarded(module.main))
    return app


def _show_version(asked: bool) -> None:
    if asked:
        from ensemble.engine.recipes.code import DISTRIBUTION, versions

        typer.echo(f"{DISTRIBUTION} {versions()[DISTRIBUTION]}")
        raise typer.Exit


def _about(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Detect generated photographs with an ensemble, and estimate honestly how well it does."""
