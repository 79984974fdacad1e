"""Figures as plain JSON, as short as possible, in which a user's text stays text."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd

_DIGITS = 6  # significant: finer than any pixel
_NOT_OURS = re.compile(r"<(?!/?(?:br|b|i|em|sub|sup|extra)\s*/?>)")  # Plotly would make links of a name's markup


def as_plotly(value: Any) -> Any:
    """Convert a figure's specification to plain lists, rounded numbers, None for what is missing, and harmless text.

    Plotly reads a few HTML tags in any text; those that set type are left to sections, the others are written out.
    """
    if isinstance(value, dict):
        return {key: as_plotly(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic | pd.Series):
        return as_plotly(value.tolist())
    if isinstance(value, list | tuple):
        return [as_plotly(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return _NOT_OURS.sub("&lt;", value) if isinstance(value, str) else value
