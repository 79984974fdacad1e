"""submit.csv: the sample's columns, rows and order, with probabilities in [0, 1]."""

from __future__ import annotations

import csv
from io import StringIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.competition.rows import SampleTable
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import THRESHOLD
from ensemble.core.storage.files import Location, write_text
from ensemble.core.storage.hashing import text_sha256

DECIMALS = 12  # enough to rank what lies close to 0 and to 1


def submission_text(sample: SampleTable, probabilities: NDArray[np.float64], decimals: int = DECIMALS) -> str:
    """Format submit.csv: probabilities, one per row of the sample, in its order.

    Probabilities are rounded to so many decimals; rounding never moves one across 0.5.

    Raises
    ------
    UserError
        A row is missing or a value is not a probability.
    """
    check_submission(sample, probabilities)
    fixed = [sample.fixed.get(name, value) for name, value in zip(sample.names, probabilities, strict=True)]
    predictions = [f"{value:.{decimals}f}" for value in rounded(np.array(fixed), decimals)]
    cells = {**sample.others, sample.name_column: sample.names, sample.prediction_column: predictions}
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if sample.header:
        writer.writerow("" if title in sample.untitled else title for title in sample.columns)
    writer.writerows(zip(*(cells[title] for title in sample.columns), strict=True))
    return buffer.getvalue()


def write_submission(path: Location, sample: SampleTable, probabilities: NDArray[np.float64]) -> str:
    """Write submit.csv and return its sha256; if it would be invalid (`UserError`) nothing is written."""
    text = submission_text(sample, probabilities)
    write_text(path, text)
    return text_sha256(text)


def read_submission(path: Location, sample: SampleTable) -> dict[str, float]:
    """Read the probabilities of a submission by name.

    Raises
    ------
    OSError, ValueError
        It cannot be read, or is not one of a sample with these columns.
    """
    with path.open("rb") as file:
        table = pd.read_csv(file, header=None, skiprows=int(sample.header), dtype=str, keep_default_na=False)
    if len(table.columns) != len(sample.columns):
        raise ValueError(f"{path} has other columns than the sample submission")
    table.columns = pd.Index(sample.columns)
    values = table[sample.prediction_column].astype("float64")
    return dict(zip(table[sample.name_column], values.tolist(), strict=True))


def submission_target(path: Location) -> Location:
    """Return a path that a submission may be written to; raise a `UserError` where it is a folder."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the file to write the submission to")
    return path


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


def rounded(probabilities: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    """Round to so many decimals; values below 0.5 stay below it."""
    near = np.round(probabilities, decimals)
    just_below = THRESHOLD - 10.0**-decimals
    return np.where((probabilities < THRESHOLD) & (near >= THRESHOLD), just_below, near)
