"""Numbers of the model card: figures with intervals, errors by class, and what they mean where fakes are rare."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import auc_standard_error, wilson_interval
from ensemble.core.metrics.scores import (
    area_under_curve,
    correct_probabilities,
    expected_calibration_error,
    log_loss,
    to_logits,
)
from ensemble.report.facts.rates import (
    FALSE_ALARMS,
    FOUND,
    Rate,
    rates_of,
    rates_table,
    share_of_alarms_right,
)
from ensemble.report.render.blocks import Block, Column, Table, Text

_PRIORS = (0.5, 0.1, 0.01, 0.0005)  # shares of fakes; the last is the research's: one in two thousand
RARE = 0.0005
_PER = 10_000


def figures(probabilities: Array, labels: Labels, measured_on: str) -> Table:
    """Return accuracy, AUC, losses and calibration, with 95% intervals where there is a sound one."""
    right = correct_probabilities(probabilities, labels)
    auc, error = area_under_curve(probabilities, labels), auc_standard_error(probabilities, labels)
    losses, squares = log_loss(to_logits(probabilities), labels), (probabilities - labels) ** 2
    rows = [
        ("Accuracy at 0.5", float(right.mean()), *wilson_interval(int(right.sum()), len(right)), "Wilson"),
        ("AUC", auc, *_normal(auc, error, highest=1.0), "DeLong"),
        ("Log loss", *_mean_and_interval(losses), "normal, over photographs"),
        ("Brier score", *_mean_and_interval(squares), "normal, over photographs"),
        ("Calibration error (ECE, 15 bins)", expected_calibration_error(probabilities, labels), math.nan, math.nan,
         "none: chance alone makes it positive"),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["figure", "value", "low", "high", "interval"]).assign(
        n=len(labels), measured_on=measured_on
    )
    columns = (
        Column("figure", "Figure"),
        Column("value", "Value", "score"),
        Column("low", "from", "score"),
        Column("high", "to", "score"),
        Column("interval", "95% interval by"),
    )
    return Table("card-figures", f"Figures, {measured_on}. From and to: 95% interval", frame, columns)


def _mean_and_interval(values: Array) -> tuple[float, float, float]:
    mean = float(values.mean())
    return mean, *_normal(mean, float(values.std(ddof=1) / math.sqrt(len(values))))


def _normal(value: float, error: float, highest: float = math.inf) -> tuple[float, float]:
    """Return a 95% interval; none where the error is zero, since nothing is that certain."""
    if not error > 0:
        return math.nan, math.nan
    return max(value - 1.96 * error, 0.0), min(value + 1.96 * error, highest)


def error_rates(probabilities: Array, labels: Labels, measured_on: str) -> Table:
    """Return the errors of both kinds."""
    rates = rates_of(probabilities, labels)
    found = rates[FOUND]
    errors = {
        "real photographs predicted fake (false-positive rate)": rates[FALSE_ALARMS],
        "fakes predicted real (missed)": Rate(found.of - found.count, found.of),
    }
    return rates_table("card-errors", f"Errors of the blend by class, decided at 0.5, {measured_on}", errors)


def base_rates(probabilities: Array, labels: Labels) -> list[Block]:
    """Return the share of alarms that are right, by how common fakes are."""
    rates = rates_of(probabilities, labels)
    found, alarms = rates[FOUND], rates[FALSE_ALARMS]
    if not found.of or not alarms.of:
        return []
    worst = (found.interval[0], alarms.interval[1])
    frame = pd.DataFrame(
        [
            {
                "prior": prior,
                "alarms": _PER * (prior * found.share + (1 - prior) * alarms.share),
                "alarms_right": _PER * prior * found.share,
                "share_right": share_of_alarms_right(prior, found.share, alarms.share),
                "share_right_at_worst": share_of_alarms_right(prior, *worst),
            }
            for prior in _PRIORS
        ]
    )
    return [
        Text((_in_words(found, alarms, worst),), "When fakes are rare"),
        Table(
            "card-base-rates",
            "Computed from the two error rates above, for photographs like those; at worst: from the unfavourable ends "
            "of their 95% intervals",
            frame.assign(fakes=[f"{prior:.2%}" for prior in frame["prior"]]),
            (
                Column("fakes", "Fakes among all photographs"),
                Column("alarms", f"Predicted fake, of {_PER:,}", "number"),
                Column("alarms_right", "of them fake", "number"),
                Column("share_right", "Share of alarms that are right", "score"),
                Column("share_right_at_worst", "at worst", "score"),
            ),
        ),
    ]


def _in_words(found: Rate, alarms: Rate, worst: tuple[float, float]) -> str:
    measured = share_of_alarms_right(RARE, found.share, alarms.share)
    pessimistic = share_of_alarms_right(RARE, *worst)
    none = " (none was in this sample, which does not make it never)" if not alarms.count else ""
    share = (
        "no photograph would be predicted fake"
        if np.isnan(measured)
        else f"{measured:.1%} of all alarms would be right"
    )
    return (
        f"The collection is {found.of / (found.of + alarms.of):.0%} fakes; the world is not. If {RARE:.2%} of the "
        "photographs that come in are fakes, as perhaps in a newsroom's inbox, then at the measured rates"
        f"{none} {share}, and at the unfavourable ends of their intervals (a false-positive rate of {worst[1]:.2%}) "
        f"{pessimistic:.1%}: {_of_a_thousand(pessimistic)} alarms in a thousand would be right, the others would be "
        "about real photographs."
    )


def _of_a_thousand(share: float) -> str:
    return f"{1000 * share:.0f}" if share >= 0.001 else "fewer than one"
