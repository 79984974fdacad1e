"""Repeated folds: how much the members' scores differ between cuts, and what averaging gains."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ensemble.core.metrics.scores import score
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Column, Section, Table

_LEAD = (
    "The folds were cut several times, and the members trained on each cut. A row's prediction is the mean over the "
    "cuts, in logits; each is by models that had not seen the row. The spread says how much a score depends on the cut "
    "alone. The mean of several models is scored, as it decides test photographs; with one cut a training photograph "
    "is decided by one model, and the score is lower than theirs would be."
)


def repeats(material: Material) -> Section | None:
    """Compare the cuts; None where there is one."""
    spreads, predictions = material.predictions.spreads, material.predictions
    if not spreads:
        return None
    rows = []
    for member, spread in spreads.items():
        mean = score(predictions.probabilities(predictions.members.index(member)), material.labels)
        accuracies, losses = np.array(list(spread.values())).T
        rows.append(
            {
                "member": member,
                "cuts": len(spread),
                "accuracies": accuracies.tolist(),
                "deviation": float(accuracies.std(ddof=1)),
                "loss": float(losses.mean()),
                "accuracy_of_mean": mean.accuracy,
                "loss_of_mean": mean.log_loss,
            }
        )
    columns = (
        Column("member", "Member"),
        Column("cuts", "Cuts", "count"),
        Column("accuracies", "Accuracy in each cut", "dots"),
        Column("deviation", "Standard deviation", "score", note="Of the accuracies"),
        Column("loss", "Mean log loss of the cuts", "score"),
        Column("accuracy_of_mean", "Accuracy of the mean", "score"),
        Column("loss_of_mean", "Log loss of the mean", "score"),
    )
    table = Table("repeats", "Members in each cut of the folds, out-of-fold", pd.DataFrame(rows), columns)
    return Section("repeats", "Repeated folds", _LEAD, (table,))
