"""submit.csv: the sample's columns, rows and order, probabilities in [0, 1]; nothing else is ever written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.errors import UserError
from ensemble.files import new_file
from ensemble.metrics import THRESHOLD
from ensemble.tables import SampleTable

_DECIMALS = 8


def write_submission(path: Path, sample: SampleTable, probabilities: NDArray[np.float64]) -> str:
    """Write probabilities (one per row of the sample, in its order) and return the sha256 of the file.

    Probabilities are rounded to 8 decimals; rounding never moves one across 0.5.

    Raises
    ------
    UserError
        A row is missing or a value is no probability; nothing is written.
    """
    check_submission(sample, probabilities)
    table = pd.DataFrame({sample.name_column: sample.names, sample.prediction_column: rounded(probabilities)})
    table = table[sample.columns]
    with new_file(path) as temporary:
        table.to_csv(temporary, index=False, float_format=f"%.{_DECIMALS}f", lineterminator="\n")
        return hashlib.sha256(temporary.read_bytes()).hexdigest()


def check_submission(sample: SampleTable, probabilities: NDArray[np.float64]) -> None:
    """Refuse anything that is not one probability for every row of the sample."""
    if probabilities.shape != (len(sample.names),):
        raise UserError(
            f"the sample asks for {len(sample.names)} rows, but there are predictions of shape {probabilities.shape}"
        )
    wrong = np.flatnonzero(~((probabilities >= 0) & (probabilities <= 1)))  # NaN fails both
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{sample.names[row]} would get {probabilities[row]}, which is no probability ({len(wrong)} such rows)"
        )
    if set(sample.columns) != {sample.name_column, sample.prediction_column}:
        raise UserError(
            f"the sample has columns {', '.join(sample.columns)}; only a name and a prediction can be filled in"
        )


def rounded(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to 8 decimals; what lies below 0.5 stays below."""
    near = np.round(probabilities, _DECIMALS)
    just_below = THRESHOLD - 10.0**-_DECIMALS
    return np.where((probabilities < THRESHOLD) & (near >= THRESHOLD), just_below, near)
