"""How the ensemble grew: what was tried, what it cost, what it gained, and why it stopped."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.core.console.durations import format_duration
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Column, Fact, Facts, Figure, Section, Table
from ensemble.store.grown import Growth

_LEAD = (
    "Candidates were trained one by one, by expected gain a second, and kept where the log loss of held-out rows fell "
    "by more than its paired standard error. These scores have chosen the members, so they are optimistic. The nested "
    "score of the blend keeps and drops again without the rows that it scores; what was tried, and in which order, was "
    "decided with all rows."
)
_OUTCOMES = (("kept", "$accent", "circle"), ("dropped", "$muted", "circle-open"), ("failed", "$fake", "x"))


def growth(material: Material) -> Section | None:
    """Show the steps of `ensemble grow`; None where it was not used."""
    found = Growth.read(material.store)
    if not found.steps:
        return None
    frame = pd.DataFrame(found.steps)
    frame.insert(0, "step", range(1, len(frame) + 1))
    return Section("growth", "Growth", _LEAD, (_facts(frame, found.why), _curve(frame), _steps(frame)))


def _facts(frame: pd.DataFrame, why: str) -> Facts:
    kept, last, failed = frame["outcome"] == "kept", frame.iloc[-1], (frame["outcome"] == "failed").sum()
    share = frame.loc[kept, "seconds"].sum() / max(frame["seconds"].sum(), 1e-9)
    return Facts(
        (
            Fact("Steps", f"{len(frame):,}", f"{kept.sum():,} kept, {failed:,} failed; cuts of the folds included"),
            Fact("Time", format_duration(last["after"]), f"{share:.0%} of it for those that were kept"),
            Fact("Why it stopped", why or "it was interrupted"),
        )
    )  # fmt: skip


def _curve(frame: pd.DataFrame) -> Figure:
    """Draw the log loss after each step over time."""
    minutes = (frame["after"] / 60).tolist()
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines", "x": minutes, "y": frame["log_loss"].tolist(), "hoverinfo": "skip",
         "line": {"color": "$line", "shape": "hv"}, "showlegend": False}
    ]  # fmt: skip
    for outcome, colour, symbol in _OUTCOMES:
        rows = frame[frame["outcome"] == outcome]
        traces.append(
            {"type": "scatter", "mode": "markers", "name": outcome, "x": (rows["after"] / 60).tolist(),
             "y": rows["log_loss"].tolist(), "text": rows["member"].tolist(), "hoverinfo": "text+y",
             "marker": {"color": colour, "symbol": symbol, "size": 9}}
        )  # fmt: skip
    first, last = frame.iloc[0], frame.iloc[-1]
    return Figure(
        "growth-curve",
        "Log loss over time",
        f"Held-out log loss of the blend after each candidate: {first['log_loss']:.4f} after {first['member']}, "
        f"{last['log_loss']:.4f} at the end, after {format_duration(last['after'])}.",
        traces,
        {"xaxis": {"title": {"text": "minutes"}, "rangemode": "tozero"}, "yaxis": {"title": {"text": "log loss"}}},
        Table(
            "growth-curve-numbers", "Log loss of the blend after each step", frame,
            (Column("step", "Step", "count"), Column("after", "After", "seconds"),
             Column("log_loss", "Log loss", "score")),
        ),
    )  # fmt: skip


def _steps(frame: pd.DataFrame) -> Table:
    columns = (
        Column("step", "Step", "count"),
        Column("member", "Candidate"),
        Column("outcome", "Outcome"),
        Column("gain", "Log loss gained", "gain", error="standard_error"),
        Column("expected", "Seconds expected", "seconds"),
        Column("seconds", "Seconds", "seconds"),
        Column("log_loss", "Log loss of the blend", "score"),
        Column("accuracy", "Accuracy of the blend", "score"),
    )
    kept = tuple(int(row) for row in frame.index[frame["outcome"] == "kept"])
    return Table("growth-steps", "Candidates in the order in which they were tried", frame, columns, kept)
