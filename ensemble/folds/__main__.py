"""python -m ensemble.folds export: the ledger as a table, for members that are trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.console import make_console, verbs
from ensemble.errors import UserError
from ensemble.files import new_file
from ensemble.folds.ledger import FoldLedger


def export(
    store: Annotated[Path, typer.Argument(help="The store whose folds they are, such as oof/cpu.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write them: .csv or .parquet.")] = Path(
        "folds.csv"
    ),
) -> None:
    """Write name, label, group and fold of every training row. Train elsewhere on these folds, then import."""
    ledger = FoldLedger.load(store)
    if output.suffix not in (".csv", ".parquet"):
        raise UserError(f"{output}: give a name that ends in .csv or .parquet")
    with new_file(output) as temporary:
        if output.suffix == ".csv":
            ledger.table.to_csv(temporary, index=False)
        else:
            ledger.table.to_parquet(temporary, index=False)
    rows = f"{len(ledger.table)} rows in {ledger.n_folds} folds"
    make_console().print(f"{output}: {rows}, ledger {ledger.sha256[:12]}", markup=False)


app = verbs({"export": export}, "The folds that all members share.")

if __name__ == "__main__":
    app()
