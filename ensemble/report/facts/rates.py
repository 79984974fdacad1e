"""Error rates with their intervals, and what they mean where fakes are rare."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import wilson_interval
from ensemble.core.metrics.scores import THRESHOLD
from ensemble.report.render.blocks import Column, Table

FOUND, FALSE_ALARMS = "fakes predicted fake", "real photographs predicted fake"


@dataclass(frozen=True)
class Rate:
    """`count` of `of` photographs; its properties are NaN where there is none."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """The rate as a number from 0 to 1."""
        return self.count / self.of if self.of else math.nan

    @property
    def standard_error(self) -> float:
        """Its standard error, sqrt(p (1 - p) / n)."""
        return math.sqrt(self.share * (1 - self.share) / self.of) if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% interval (Wilson, 1927)."""
        return wilson_interval(self.count, self.of) if self.of else (math.nan, math.nan)


def rates_of(probabilities: Array, labels: Labels) -> dict[str, Rate]:
    """Count the fakes, and the real photographs, that are predicted fake at 0.5."""
    predicted, fake = probabilities >= THRESHOLD, labels == 1
    return {
        FOUND: Rate(int((predicted & fake).sum()), int(fake.sum())),
        FALSE_ALARMS: Rate(int((predicted & ~fake).sum()), int((~fake).sum())),
    }


def rates_table(identifier: str, caption: str, rates: dict[str, Rate]) -> Table:
    """Return error rates by class, each with its standard error and its 95% interval."""
    rows = [
        {"what": what, "count": rate.count, "of": rate.of, "share": rate.share, "standard_error": rate.standard_error,
         "low": rate.interval[0], "high": rate.interval[1]}
        for what, rate in rates.items()
    ]  # fmt: skip
    columns = (
        Column("what", "What"),
        Column("count", "Photographs", "count"),
        Column("of", "of", "count"),
        Column("share", "Share", "score", error="standard_error"),
        Column("low", "from", "score"),
        Column("high", "to", "score", note="95% interval (Wilson)"),
    )
    return Table(identifier, f"{caption}. From and to: 95% interval", pd.DataFrame(rows), columns)


def share_of_alarms_right(prior: float, found: float, false_alarms: float) -> float:
    """Return the share of fakes among photographs that are predicted fake, by Bayes' rule.

    `prior` is the share of fakes among all photographs, `found` of fakes that are predicted fake, `false_alarms` of
    real ones that are; NaN where nothing is ever predicted fake.

    Examples
    --------
    >>> round(share_of_alarms_right(0.01, 0.9, 0.1), 4)
    0.0833
    """
    right, wrong = prior * found, (1 - prior) * false_alarms
    return right / (right + wrong) if right + wrong > 0 else math.nan
