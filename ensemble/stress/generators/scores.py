"""Scores of members on clusters that they did not learn from, beside those on the same rows in random folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.metrics.intervals import (
    auc_standard_error,
    paired_standard_error,
    proportion_standard_error,
    standard_error,
)
from ensemble.core.metrics.scores import area_under_curve
from ensemble.store.results import ALL

Logits = NDArray[np.floating]
Right = NDArray[np.bool_]
Row = dict[str, int | float | str]


def score_table(
    members: Sequence[str], unseen: Logits, random: Logits, labels: NDArray[np.int64], clusters: NDArray[np.int64]
) -> pd.DataFrame:
    """Return a row for each member and cluster, those of all clusters first.

    Parameters
    ----------
    unseen, random : (rows, members)
        Logits by models that learned from no fake of the row's cluster, and by those of the random folds.
    clusters : int64 (rows,)
        The cluster of a fake, or the one that was held out together with a real photograph.
    """
    rows: list[Row] = []
    for column, member in enumerate(members):
        for cluster in (ALL, *range(int(clusters.max()) + 1)):
            here = np.full(len(labels), True) if cluster == ALL else clusters == cluster
            scores = _compared(unseen[here, column], random[here, column], labels[here])
            rows.append({"cluster": cluster, "member": member, **scores})
    return pd.DataFrame(rows)


def _compared(unseen: Logits, random: Logits, labels: NDArray[np.int64]) -> Row:
    """Return the scores of both, and their paired differences on the same photographs."""
    fake = labels == 1
    right, before = ((logits >= 0) == fake for logits in (unseen, random))
    return {
        "n": len(labels),
        "fakes": int(fake.sum()),
        **_scores(unseen, right, fake),
        **{f"random_{name}": value for name, value in _scores(random, before, fake).items()},
        **_change("accuracy", right, before),
        **_change("fakes_found", right[fake], before[fake]),
        **_change("false_positives", ~right[~fake], ~before[~fake]),
    }


def _scores(logits: Logits, right: Right, fake: Right) -> dict[str, float]:
    scores, labels = logits.astype(np.float64), fake.astype(np.int64)
    return {
        "accuracy": float(right.mean()),
        "accuracy_se": standard_error(right),
        **_share("fakes_found", right[fake]),
        **_share("false_positives", ~right[~fake]),
        "auc": area_under_curve(scores, labels),
        "auc_se": auc_standard_error(scores, labels),
    }


def _share(name: str, found: Right) -> dict[str, float]:
    return {name: float(found.mean()), f"{name}_se": proportion_standard_error(found)}


def _change(name: str, now: Right, before: Right) -> dict[str, float]:
    change = float(now.mean() - before.mean())
    return {f"{name}_change": change, f"{name}_change_se": paired_standard_error(now, before)}
