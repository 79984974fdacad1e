"""The order of the work: the longest first, so that none of them begins last and is waited for alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from ensemble.engine.task import FoldTask
from ensemble.oof import OofStore


def measured_seconds(store: OofStore, members: Iterable[str], n_folds: int) -> dict[str, float]:
    """Mean seconds of a fold of each member that has finished one here, be it with another config: it is a guess."""
    found: dict[str, float] = {}
    for member in members:
        records = (store.record(member, fold) for fold in range(n_folds))
        seconds = [record.finished - record.started for record in records if record is not None]
        if seconds:
            found[member] = sum(seconds) / len(seconds)
    return found


def longest_first(tasks: Sequence[FoldTask], seconds: Mapping[str, float]) -> list[FoldTask]:
    """Longest processing time first (Graham, 1969): at most a third longer than the best order.

    What nobody has measured comes before all, one fold of each such member after the other: it may be the longest, and
    the sooner one of its folds is finished, the sooner the time that is left can be told.
    """
    return sorted(tasks, key=lambda task: (-seconds.get(task.member.name, math.inf), task.fold))
