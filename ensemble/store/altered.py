"""Members' logits of altered photographs, as `ensemble robustness` stores them for the choice of the blender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Logits
from ensemble.core.storage.files import Location, new_file
from ensemble.core.storage.hashing import file_sha256
from ensemble.core.storage.parquet import read_parquet
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.results import AS_THEY_ARE, BLEND, ROBUSTNESS, predictions_sha256, read

_FILE = "logits.parquet"


@dataclass(frozen=True)
class AlteredLogits:
    """Logits of the same held-out photographs, unaltered and altered, each by the models that never saw it.

    Attributes
    ----------
    rows : intp (photographs,)
        Of the ledger, or of a blend's problem.
    unaltered : float32 (photographs, members)
    altered : dict of str to float32 (photographs, members)
        By alteration.
    sha256 : str
        Of the file.
    """

    rows: NDArray[np.intp]
    unaltered: Logits
    altered: Mapping[str, Logits]
    sha256: str

    def among(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which photographs are among some rows, bool (photographs,)."""
        return np.isin(self.rows, rows)

    def renumbered(self, rows: NDArray[np.intp]) -> AlteredLogits:
        """Return those among some sorted rows, whose places there are the new rows."""
        used = np.flatnonzero(self.among(rows))
        altered = {alteration: logits[used] for alteration, logits in self.altered.items()}
        return replace(
            self, rows=np.searchsorted(rows, self.rows[used]), unaltered=self.unaltered[used], altered=altered
        )


def write_altered(store: OofStore, names: Sequence[str], logits: Mapping[str, Mapping[str, Array]]) -> None:
    """Store logits (photographs,) by alteration and member; the blend's own are left out."""
    tables = [
        pd.DataFrame({"alteration": alteration, "name": names, **{m: v for m, v in members.items() if m != BLEND}})
        for alteration, members in logits.items()
    ]
    if not tables:
        _file(store).unlink(missing_ok=True)
        return
    with new_file(_file(store)) as temporary:
        pd.concat(tables).to_parquet(temporary, index=False)


def read_altered(store: OofStore, predictions: Predictions, members: Sequence[str]) -> AlteredLogits | None:
    """Return the logits of all `members`; None unless all were measured, with the models that made the predictions."""
    results = read(store, ROBUSTNESS)
    made_from = {} if results is None else results[1].get("predictions_sha256", {})
    if any(made_from.get(member, "") != predictions_sha256(predictions, member) for member in members):
        return None
    try:
        table = read_parquet(_file(store))
    except (OSError, ValueError):  # of an earlier version
        return None
    found = {str(key): part for key, part in table.groupby("alteration", sort=False) if _complete(part, members)}
    unaltered = found.pop(AS_THEY_ARE, None)
    if unaltered is None or not found:
        return None
    rows = pd.Index(predictions.ledger.table["name"]).get_indexer(pd.Index(unaltered["name"]))
    matrices = {key: _matrix(part, members) for key, part in found.items()}
    if (rows < 0).any():
        return None
    return AlteredLogits(rows, _matrix(unaltered, members), matrices, file_sha256(_file(store)))


def _complete(table: pd.DataFrame, members: Sequence[str]) -> bool:
    return set(members) <= set(table) and bool(table[list(members)].notna().to_numpy().all())


def _matrix(table: pd.DataFrame, members: Sequence[str]) -> Logits:
    logits: Logits = table[list(members)].to_numpy(np.float32)
    return logits


def _file(store: OofStore) -> Location:
    return store.root / ROBUSTNESS / _FILE
