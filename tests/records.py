"""Reading stored predictions, and changing a store so that every checksum matches again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ensemble.store.oof import OofStore
from ensemble.store.record import PREDICTIONS, from_text, to_text


def stored_predictions(store: OofStore, member: str, fold: int) -> pd.DataFrame:
    """Return the table of a stored fold, which must be valid."""
    record = store.record(member, fold)
    assert record is not None
    table = store.predictions(record)
    assert table is not None
    return table.to_pandas()


def change_record(folder: Path, **changes: Any) -> None:
    """Change fields of a fold's record."""
    path = folder / "fold.json"
    path.write_text(to_text(replace(from_text(path.read_bytes()), **changes)))


def change_provenance(folder: Path, **changes: Any) -> None:
    record = from_text((folder / "fold.json").read_bytes())
    change_record(folder, provenance=replace(record.provenance, **changes))


def reseal(folder: Path, table: pd.DataFrame) -> None:
    """Write another table of predictions."""
    table.to_parquet(folder / PREDICTIONS, index=False)
    found = hashlib.sha256((folder / PREDICTIONS).read_bytes()).hexdigest()
    record = from_text((folder / "fold.json").read_bytes())
    change_record(folder, predictions_sha256=found, files={**record.files, PREDICTIONS: found})
