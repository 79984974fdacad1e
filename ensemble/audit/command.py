"""Command `ensemble audit`: shortcuts and traps of a competition's data, found before anything is trained."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.config.reading import load_experiment
from ensemble.core.arrays import Pixels
from ensemble.core.console.options import ConfigArgument, DataOption, EngineOption, OofOption
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.engine.choose import engine_maker
from ensemble.folds.ledger import FoldLedger
from ensemble.store.checks import Check, page_of
from ensemble.store.oof import OofStore
from ensemble.store.opening import cut, known_ledger
from ensemble.store.predictions import Predictions
from ensemble.store.replacing import only_trainer

_STYLES = {"fine": "green", "look": "yellow", "alarm": "bold red", "not run": "dim"}


def main(
    config: ConfigArgument,
    data: DataOption = Path("data"),
    oof: OofOption = Path("oof"),
    engine: EngineOption = "ray",
) -> None:
    """Look for shortcuts: formats, copies, names, other photographs in test. Nothing needs to be trained."""
    from ensemble.audit.run import Subject, audit, known_checks, stored_results

    make_engine, experiment, board = engine_maker(engine), load_experiment(config), ProgressBoard()
    competition = Competition.open(data, experiment.data)
    for line in competition.lines():
        board.log(line)
    store, pixels, ledger = _store_for(experiment, competition, OofStore(oof / experiment.name))
    subject = Subject(competition, ledger, experiment, store, _predictions(store, experiment))
    checks = known_checks(subject)
    if checks is None:
        with only_trainer(store), make_engine() as running:
            checks = audit(subject, running, board, pixels)
    for check in checks:
        _print(check, board.console)
    if stored_results(subject) is None:
        raise typer.Exit(2)  # why they could not be stored is in the log
    board.console.print(f"details: {page_of(store)}", markup=False)


def _store_for(
    experiment: Experiment, competition: Competition, store: OofStore
) -> tuple[OofStore, Pixels | None, FoldLedger]:
    """Return the store for the results, the photographs if they were decoded, and the folds.

    A store of other data or folds is left alone: the results then go beside it.
    """
    known = known_ledger(experiment, competition, store)
    if known is not None:
        return store, None, known
    pixels, ledger = cut(experiment, competition)
    beside = OofStore(store.root.with_name(f"{store.name}~audit"))
    return beside if store.exists() else store, pixels, ledger


def _predictions(store: OofStore, experiment: Experiment) -> Predictions | None:
    """Load what members have predicted, if any has."""
    from ensemble.store.predictions import load_predictions

    try:
        return load_predictions(store, experiment)
    except UserError:
        return None


def _print(check: Check, console: Console) -> None:
    line = Text(f"{check.verdict:>7}  ", style=_STYLES[check.verdict])
    line.append(f"{check.title} ", style="bold")
    line.append(f"{check.sentence}{f' {check.remedy}' if check.remedy else ''}", style="default")
    console.print(line)
