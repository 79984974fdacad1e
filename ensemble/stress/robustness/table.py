"""What the answers are worth: one row for each alteration and member, the blend among them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import delong_error, paired_standard_error, share_error, standard_error
from ensemble.core.metrics.scores import UNSURE, area_under_curve, is_right, to_probabilities
from ensemble.store.results import AS_THEY_ARE, BLEND
from ensemble.stress.robustness.alterations import ALTERATIONS

COLUMNS = [
    "alteration", "title", "family", "member", "measured_on", "n", "accuracy", "standard_error", "change",
    "change_error", "auc", "auc_error", "false_positive_rate", "false_positive_rate_error", "fakes_found",
    "fakes_found_error", "abstained", "abstained_error",
]  # fmt: skip
Answered = Mapping[str, Mapping[str, Array]]  # alteration -> member -> logits (photographs,), NaN where not asked


def robustness_table(answered: Answered, labels: Labels) -> pd.DataFrame:
    """The long table, in the order of the alterations and of the members in each."""
    clean = answered.get(AS_THEY_ARE, {})
    rows = [
        {
            "alteration": name,
            "title": ALTERATIONS[name].title,
            "family": ALTERATIONS[name].family,
            "member": member,
            "measured_on": "nested OOF" if member == BLEND else "OOF",
            **scores(logits, clean.get(member), labels),
        }
        for name, members in answered.items()
        for member, logits in members.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def scores(logits: Array, clean: Array | None, labels: Labels) -> dict[str, Any]:
    """Scores of the rows that were answered; `clean` are logits of the same photographs as they are.

    `change` is the accuracy less that on the photographs as they are, its error that of paired decisions.
    """
    there = ~np.isnan(logits)
    logits, labels = logits[there], labels[there]
    probabilities = to_probabilities(logits)
    right = is_right(probabilities, labels)
    change = change_error = math.nan
    if clean is not None:
        before = is_right(to_probabilities(clean[there]), labels)
        change, change_error = float(right.mean() - before.mean()), paired_standard_error(right, before)
    alarms, found = ~right[labels == 0], right[labels == 1]
    low, high = UNSURE
    abstained = (probabilities > low) & (probabilities < high)
    return {
        "n": len(labels),
        "accuracy": float(right.mean()),
        "standard_error": standard_error(right),
        "change": change,
        "change_error": change_error,
        "auc": area_under_curve(logits, labels),
        "auc_error": delong_error(logits, labels),
        "false_positive_rate": _share(alarms),
        "false_positive_rate_error": share_error(alarms),
        "fakes_found": _share(found),
        "fakes_found_error": share_error(found),
        "abstained": _share(abstained),
        "abstained_error": share_error(abstained),
    }


def _share(found: NDArray[np.bool_]) -> float:
    return float(found.mean()) if len(found) else math.nan
