"""Checks of a submission: its changes to the last one, and its share of fakes beside that of the out-of-fold rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.competition.rows import SampleTable
from ensemble.competition.submission import read_submission
from ensemble.core.metrics.intervals import proportion_variance
from ensemble.core.metrics.scores import THRESHOLD
from ensemble.core.storage.files import Location
from ensemble.core.storage.json_file import read_json

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
    sample: SampleTable, probabilities: NDArray[np.float64], nested: NDArray[np.float64], last: Location | None
) -> Guard:
    """Compare probabilities of the sample's rows with nested logits and with the submission at `last`, if any.

    Rows without a photograph are left out: nobody has predicted them.
    """
    fake = pd.Series(probabilities >= THRESHOLD, index=sample.names).drop(list(sample.fixed))
    oof, test = float((nested >= 0).mean()), float(fake.mean())
    error = math.sqrt(proportion_variance(nested >= 0) + proportion_variance(fake.to_numpy()))
    earlier = None if last is None else _decisions(last, sample)
    if earlier is None:
        return Guard(None, None, oof, test, error)
    both = fake.to_frame("now").join(earlier.rename("before"), how="inner")
    if both.empty:
        return Guard(None, None, oof, test, error)
    return Guard(int((both["now"] != both["before"]).sum()), len(both), oof, test, error)


def was_live(manifest: Location) -> bool:
    """Return whether a blend was made by a run that trains, and not by the user."""
    try:
        return bool(read_json(manifest, dict).get("live", False))
    except (OSError, ValueError):
        return False


def _decisions(path: Location, sample: SampleTable) -> pd.Series[bool] | None:
    """Return the decisions of a submission; None if it cannot be read."""
    try:
        return pd.Series(read_submission(path, sample)) >= THRESHOLD
    except (OSError, ValueError):
        return None
