"""Small helpers that several sections share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd


def frame_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> pd.DataFrame:
    """A frame of plain rows; `columns` names them where there may be no row."""
    return pd.DataFrame(list(rows), columns=list(columns) if columns and not rows else None)
