"""Which training rows are altered: a sample that holds every fold and class in its share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.storage.hashing import digest
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore

SAMPLE_SIZE = 200  # photographs: enough for a standard error of two percent


@dataclass(frozen=True)
class Sample:
    """The rows that are altered.

    Attributes
    ----------
    rows : intp (photographs,)
        Of the ledger, sorted.
    asked_for : int
        Requested size; 0 for all rows.
    """

    ledger: FoldLedger
    data_sha256: str
    rows: NDArray[np.intp]
    asked_for: int
    seed: int

    @classmethod
    def draw(cls, store: OofStore, photographs: int, seed: int = 0) -> Sample:
        """Draw the sample from a store's training rows."""
        ledger = store.ledger()
        return cls(ledger, store.facts()["sha256"], sample_rows(ledger, photographs, seed), photographs, seed)

    @property
    def folds(self) -> NDArray[np.int64]:
        """Folds of the photographs, int64 (photographs,)."""
        folds: NDArray[np.int64] = self.ledger.folds[self.rows]
        return folds

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the photographs, int64 (photographs,)."""
        labels: NDArray[np.int64] = self.ledger.labels[self.rows]
        return labels

    @property
    def names(self) -> list[str]:
        """Names of the photographs."""
        return list(self.ledger.table["name"].iloc[self.rows])

    @property
    def signature(self) -> str:
        """Hash that changes with the data, the folds, and the rows."""
        return digest([self.data_sha256, self.ledger.sha256, self.rows.tolist()])


def sample_rows(ledger: FoldLedger, photographs: int, seed: int = 0) -> NDArray[np.intp]:
    """Return sorted rows of the ledger: `photographs` of them, or all for 0; larger samples hold smaller ones."""
    rows = len(ledger.labels)
    if photographs == 0 or photographs >= rows:
        return np.arange(rows)
    drawn = np.random.default_rng(seed).permutation(rows)
    stratum = (ledger.folds * 2 + ledger.labels)[drawn]
    rank = pd.Series(stratum).groupby(stratum).cumcount().to_numpy()
    share = (rank + 0.5) / np.bincount(stratum)[stratum]  # how much of its fold and class comes before it
    return np.sort(drawn[np.argsort(share, kind="stable")[:photographs]])
