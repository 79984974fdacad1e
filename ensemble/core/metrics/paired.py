"""Comparison of two sets of decisions on the same photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PROVEN = 0.05
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Comparison:
    """Difference between two sets of decisions.

    Attributes
    ----------
    rows : int
        Photographs in both sets.
    gained, lost : int
        Wrong before and right now; right before and wrong now.
    p : float
        McNemar's exact two-sided test (1947): how likely so uneven a split of the flips is if neither is better.
    low, high : float
        95% interval of the difference of accuracies, by the bootstrap over photographs.
    """

    rows: int
    gained: int
    lost: int
    p: float
    low: float
    high: float

    @property
    def net(self) -> int:
        """Right decisions gained minus lost."""
        return self.gained - self.lost

    @property
    def difference(self) -> float:
        """Difference of the accuracies."""
        return self.net / self.rows

    @property
    def proven(self) -> bool:
        """Whether it is significantly better, at 5%."""
        return self.net > 0 and self.p < _PROVEN

    def in_words(self) -> str:
        """Return a text such as: flips 41 photographs, 12 net gained, p = 0.08: not proven."""
        flips = self.gained + self.lost
        if flips == 0:
            return "makes the same decisions"
        verdict = "not proven" if self.p >= _PROVEN else "better" if self.net > 0 else "worse"
        net = f"{abs(self.net)} net {'lost' if self.net < 0 else 'gained'}"
        chance = f"p = {self.p:.2f}" if self.p >= 0.005 else f"p = {self.p:.0e}"
        return f"flips {flips} photograph{'s' * (flips != 1)}, {net}, {chance}: {verdict}"


def compare(right: NDArray[np.bool_], before: NDArray[np.bool_]) -> Comparison:
    """Compare two arrays of right decisions (n,), the second being the baseline."""
    return compare_counts(int((right & ~before).sum()), int((before & ~right).sum()), len(right))


def compare_counts(gained: int, lost: int, rows: int) -> Comparison:
    """Compare decisions that were counted already."""
    low, high = _bootstrap(gained, lost, rows)
    return Comparison(rows, gained, lost, mcnemar(gained, lost), low, high)


def mcnemar(gained: int, lost: int) -> float:
    """Compute the exact two-sided p: the smaller count is binomial over all flips, with probability one half."""
    from scipy.special import bdtr  # takes 0.2 s; commands that compare nothing need not wait for it

    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def _bootstrap(gained: int, lost: int, rows: int) -> tuple[float, float]:
    """Draw the three counts from a multinomial, which equals drawing photographs with replacement."""
    shares = np.array([gained, lost, rows - gained - lost]) / rows
    counts = np.random.default_rng(0).multinomial(rows, shares, size=_RESAMPLES)
    low, high = np.quantile((counts[:, 0] - counts[:, 1]) / rows, [0.025, 0.975])
    return float(low), float(high)
