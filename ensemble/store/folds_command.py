"""`ensemble folds`: cut the ledger without training, and write it as a table for members that are trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from ensemble.competition.dataset import Competition
from ensemble.config.reading import load_experiment
from ensemble.core.console.console import make_console, say, verbs
from ensemble.core.console.options import ConfigArgument, DataOption, OofOption, StoreArgument, parsed_location
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_file
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore
from ensemble.store.opening import begin_store, find_store, has_folds, prepare
from ensemble.store.replacing import only_trainer


def cut(config: ConfigArgument, data: DataOption = Path("data"), oof: OofOption = Path("oof")) -> None:
    """Cut and sign the folds of an experiment without training. A store that has them is left as it is."""
    experiment, board = load_experiment(config), ProgressBoard()
    store = OofStore(oof / experiment.name)
    with only_trainer(store):
        competition = Competition.open(data, experiment.data)
        _, ledger = prepare(experiment, competition, store, board)
        if not has_folds(store):
            begin_store(store, experiment, ledger, competition)
    board.log(f"{store.root}: {_summary(ledger)}")
    board.log(f"to train on them elsewhere: ensemble folds export {store.root}")


def export(
    store: StoreArgument = None,
    oof: OofOption = Path("oof"),
    output: Annotated[
        Location,
        typer.Option(
            "--output", "-o", parser=parsed_location, metavar="PATH", help="Where to write them: .csv or .parquet."
        ),
    ] = Path("folds.csv"),
) -> None:
    """Write name, label, group and fold of every training row. Train elsewhere on these folds, then import."""
    write = _WRITERS.get(output.suffix.lower())
    if write is None:
        raise UserError(f"{output}: the name must end in .csv or .parquet")
    ledger = find_store(store, oof, say)[0].ledger()
    with new_file(output) as temporary:
        write(ledger.table, temporary)
    make_console().print(f"{output}: {_summary(ledger)}", markup=False)


def _summary(ledger: FoldLedger) -> str:
    return f"{len(ledger.table)} rows in {ledger.n_folds} folds, ledger {ledger.sha256[:12]}"


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n")


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, index=False)


_WRITERS = {".csv": _write_csv, ".parquet": _write_parquet}

app = verbs({"cut": cut, "export": export}, "The folds that all members share.")
