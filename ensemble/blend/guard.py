"""Checks of a submission: its changes to the last one, and its share of fakes beside that of the out-of-fold rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.competition.tables import SampleTable
from ensemble.core.metrics.intervals import proportion_variance
from ensemble.core.metrics.scores import THRESHOLD
from ensemble.core.storage.files import Location

_TOO_FAR = 3.0  # standard errors


@dataclass(frozen=True)
class Guard:
    """Results of the checks.

    Attributes
    ----------
    flips, compared : int or None
        Decisions that differ from the last submission, and photographs in both; None without a last one.
    fake_share_oof, fake_share_test : float
        Share of rows predicted fake, nested out-of-fold and in this submission.
    error : float
        Standard error of the difference of the two.
    """

    flips: int | None
    compared: int | None
    fake_share_oof: float
    fake_share_test: float
    error: float

    def lines(self) -> list[str]:
        """Return the results in sentences."""
        shares = f"predicted fake: {self.fake_share_test:.3f} of the test rows, {self.fake_share_oof:.3f} out-of-fold"
        far = abs(self.fake_share_test - self.fake_share_oof) > _TOO_FAR * self.error
        lines = [f"{shares}; they differ by more than chance, check before you submit" if far else shares]
        if self.flips is not None:
            lines.append(f"{self.flips} of {self.compared} decisions differ from the last submission")
        return lines


def guard(
    sample: SampleTable, probabilities: NDArray[np.float64], nested: NDArray[np.float64], last: Location
) -> Guard:
    """Compare probabilities of the sample's rows with nested logits and with the submission at `last`."""
    fake = probabilities >= THRESHOLD
    oof, test = float((nested >= 0).mean()), float(fake.mean())
    error = math.sqrt(proportion_variance(nested >= 0) + proportion_variance(fake))
    earlier = _decisions(last, sample)
    if earlier is None:
        return Guard(None, None, oof, test, error)
    both = pd.Series(fake, index=sample.names).to_frame("now").join(earlier.rename("before"), how="inner")
    return Guard(int((both["now"] != both["before"]).sum()), len(both), oof, test, error)


def _decisions(path: Location, sample: SampleTable) -> pd.Series[bool] | None:
    """Return the decisions of a submission; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            table = pd.read_csv(file, dtype={sample.name_column: str})
        found: pd.Series[bool] = table.set_index(sample.name_column)[sample.prediction_column] >= THRESHOLD
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
