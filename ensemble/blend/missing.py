"""Members that have not predicted every row yet: what is missing stays unsaid, it never counts as zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.base import Logits

_CHUNK = 65_536  # rows


def covered(logits: Logits) -> NDArray[np.bool_]:
    """Rows (rows,) for which at least one member has spoken."""
    found = np.zeros(len(logits), dtype=np.bool_)
    for column in logits.T:
        found |= ~np.isnan(column)
    return found


def fill_missing(logits: Logits) -> Logits:
    """The same logits where none is missing; else a copy in which a missing one is the mean of its row's others.

    So a member that is silent agrees with those who speak: it draws the row neither to fake nor to real. Nothing is
    learned for it, from no row.
    """
    if not any(np.isnan(column).any() for column in logits.T):
        return logits
    filled = logits.T.copy().T
    for start in range(0, len(filled), _CHUNK):
        rows = filled[start : start + _CHUNK]
        np.copyto(rows, np.nanmean(rows, axis=1, keepdims=True), where=np.isnan(rows))
    return filled
