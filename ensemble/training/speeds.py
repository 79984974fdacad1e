"""How long folds and features take: measured in this run, else in earlier ones, else estimated by a pilot."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ensemble.store.oof import OofStore


class Speeds:
    """Seconds of one fold of each member, and of the features of one photograph, as well as they are known.

    What this run measures counts more than what was known before: another config, another machine.
    """

    def __init__(self, folds: dict[str, float] | None = None, photographs: dict[str, float] | None = None) -> None:
        self._folds = dict(folds or {})
        self._photographs = dict(photographs or {})
        self._measured: dict[str, list[float]] = {}

    def fold(self, member: str) -> float:
        """Return the seconds of a fold; infinite where they are unknown."""
        fresh = self._measured.get(member)
        return sum(fresh) / len(fresh) if fresh else self._folds.get(member, math.inf)

    def photograph(self, member: str) -> float:
        """Return the seconds of one photograph's features; 0 where there are none, or they are unknown."""
        return self._photographs.get(member, 0.0)

    def measured(self, member: str, seconds: float) -> None:
        """Add a fold of this run."""
        self._measured.setdefault(member, []).append(seconds)

    def estimate(self, member: str, fold: float, photograph: float) -> None:
        """Set the estimate of a pilot."""
        self._folds[member], self._photographs[member] = fold, photograph

    def known(self, member: str) -> bool:
        """Return whether anything is known of the folds."""
        return math.isfinite(self.fold(member))


def speeds_of(store: OofStore, members: Iterable[str], n_folds: int) -> Speeds:
    """Return means over the stored folds of each member, also those of another config: they are estimates."""
    folds: dict[str, float] = {}
    photographs: dict[str, float] = {}
    for member in members:
        records = [record for fold in range(n_folds) if (record := store.record(member, fold)) is not None]
        if records:
            folds[member] = sum(record.finished - record.started for record in records) / len(records)
            photographs[member] = sum(record.seconds_features_per_photograph for record in records) / len(records)
    return Speeds(folds, photographs)
