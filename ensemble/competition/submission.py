"""submit.csv: the sample's columns, rows and order, with probabilities in [0, 1]."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.competition.tables import SampleTable
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import THRESHOLD
from ensemble.core.storage.files import Location, write_text

_DECIMALS = 8


def submission_text(sample: SampleTable, probabilities: NDArray[np.float64]) -> str:
    """Format submit.csv: probabilities, one per row of the sample, in its order.

    Probabilities are rounded to 8 decimals; rounding never moves one across 0.5.

    Raises
    ------
    UserError
        A row is missing or a value is not a probability.
    """
    check_submission(sample, probabilities)
    table = pd.DataFrame({sample.name_column: sample.names, sample.prediction_column: rounded(probabilities)})
    text: str = table[sample.columns].to_csv(index=False, float_format=f"%.{_DECIMALS}f", lineterminator="\n")
    return text


def write_submission(path: Location, sample: SampleTable, probabilities: NDArray[np.float64]) -> str:
    """Write submit.csv and return its sha256; if it would be invalid (`UserError`) nothing is written."""
    text = submission_text(sample, probabilities)
    write_text(path, text)
    return sha256_of(text)


def submission_target(path: Location) -> Location:
    """Return a path that a submission may be written to; raise a `UserError` where it is a folder."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the file to write the submission to")
    return path


def sha256_of(text: str) -> str:
    """Compute the sha256 (hex) of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def check_submission(sample: SampleTable, probabilities: NDArray[np.float64]) -> None:
    """Raise a `UserError` unless there is one probability for every row of the sample."""
    if probabilities.shape != (len(sample.names),):
        raise UserError(
            f"the sample asks for {len(sample.names)} rows, but there are predictions of shape {probabilities.shape}"
        )
    wrong = np.flatnonzero(~((probabilities >= 0) & (probabilities <= 1)))  # NaN fails both
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{sample.names[row]} would get {probabilities[row]}, which is not a probability ({len(wrong)} such rows)"
        )
    if set(sample.columns) != {sample.name_column, sample.prediction_column}:
        raise UserError(
            f"the sample has columns {', '.join(sample.columns)}; only a name and a prediction can be filled in"
        )


def rounded(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to 8 decimals; values below 0.5 stay below it."""
    near = np.round(probabilities, _DECIMALS)
    just_below = THRESHOLD - 10.0**-_DECIMALS
    return np.where((probabilities < THRESHOLD) & (near >= THRESHOLD), just_below, near)
