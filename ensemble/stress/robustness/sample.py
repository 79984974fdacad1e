"""Which training rows are altered: a sample that has every fold and class in its share."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.folds.ledger import FoldLedger

PHOTOGRAPHS = 200  # enough for a standard error of two percent


def sample_rows(ledger: FoldLedger, photographs: int, seed: int = 0) -> NDArray[np.intp]:
    """Rows of the ledger, sorted; `photographs` of them, or all if that is 0. A larger sample holds the smaller one."""
    rows = len(ledger.labels)
    if photographs == 0 or photographs >= rows:
        return np.arange(rows)
    drawn = np.random.default_rng(seed).permutation(rows)
    stratum = (ledger.folds * 2 + ledger.labels)[drawn]
    rank = pd.Series(stratum).groupby(stratum).cumcount().to_numpy()
    share = (rank + 0.5) / np.bincount(stratum)[stratum]  # how much of its fold and class comes before it
    return np.sort(drawn[np.argsort(share, kind="stable")[:photographs]])
