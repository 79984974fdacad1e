"""`ensemble folds export`: write the ledger as a table, for members that are trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from ensemble.core.console.console import make_console, say, verbs
from ensemble.core.console.options import OofOption, StoreArgument
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location, new_file
from ensemble.store.opening import find_store


def export(
    store: StoreArgument = None,
    oof: OofOption = Path("oof"),
    output: Annotated[
        Location,
        typer.Option("--output", "-o", parser=location, metavar="PATH", help="Where to write them: .csv or .parquet."),
    ] = Path("folds.csv"),
) -> None:
    """Write name, label, group and fold of every training row. Train elsewhere on these folds, then import."""
    write = _WRITERS.get(output.suffix.lower())
    if write is None:
        raise UserError(f"{output}: the name must end in .csv or .parquet")
    ledger = find_store(store, oof, say)[0].ledger()
    with new_file(output) as temporary:
        write(ledger.table, temporary)
    rows = f"{len(ledger.table)} rows in {ledger.n_folds} folds"
    make_console().print(f"{output}: {rows}, ledger {ledger.sha256[:12]}", markup=False)


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n")


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, index=False)


_WRITERS = {".csv": _write_csv, ".parquet": _write_parquet}

app = verbs({"export": export}, "The folds that all members share.")
