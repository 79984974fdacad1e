"""Whether the probabilities are calibrated, whether 0.5 is the right place to decide, and what abstaining gains.

Each figure is measured first, as a frame, and then drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import wilson_interval
from ensemble.core.metrics.scores import CLASSES, PLATEAU, THRESHOLD, UNSURE, correct_probabilities
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Figure, Section, Table, Text

_BINS = 10
_NARROW_BINS = 20
_COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


def decision(material: Material) -> Section | None:
    """Return four figures of the blend's nested probabilities; None where there is no blend."""
    if material.blend is None or material.manifest is None:
        return None
    probabilities, labels = material.blend.probabilities, material.labels[material.blend.rows]
    rule, correct = material.manifest["decision_rule"], correct_probabilities(probabilities, labels)
    blocks: tuple[Block, ...] = (
        Text((f"Several ways to place the decision at 0.5 were compared; the one that was chosen: {rule}.",)),
        _draw_reliability(_reliability(probabilities, labels)),
        _draw_histogram(_histogram(probabilities, labels), probabilities),
        _draw_thresholds(_by_threshold(probabilities, labels), float(correct.mean())),
        _draw_coverage(_by_coverage(probabilities, labels)),
    )
    lead = f"The blend's nested probabilities of {len(labels):,} training photographs."
    return Section("decision", "The decision", lead, blocks)


def _reliability(probabilities: Array, labels: Labels) -> pd.DataFrame:
    """Return the share of fakes among photographs of about the same probability, with its 95% interval."""
    place = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    rows = []
    for number in np.unique(place):
        here = place == number
        fakes, n = int(labels[here].sum()), int(here.sum())
        low, high = wilson_interval(fakes, n)
        rows.append({"said": float(probabilities[here].mean()), "fakes": fakes / n, "low": low, "high": high, "n": n})
    return pd.DataFrame(rows)


def _draw_reliability(frame: pd.DataFrame) -> Figure:
    outside = int(((frame["said"] < frame["low"]) | (frame["said"] > frame["high"])).sum())
    verdict = "all agree with the prediction within their 95% intervals" if not outside else (
        f"{outside} differ from the prediction by more than their 95% interval (one in twenty does by chance)"
    )  # fmt: skip
    bars = {"type": "data", "symmetric": False, "array": frame["high"] - frame["fakes"],
            "arrayminus": frame["fakes"] - frame["low"], "color": "$accent"}  # fmt: skip
    traces = [
        {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "name": "perfectly calibrated",
         "line": {"color": "$muted", "dash": "dot", "width": 1}, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "lines+markers", "x": frame["said"], "y": frame["fakes"], "error_y": bars,
         "name": "the blend", "marker": {"color": "$accent", "size": 7}, "line": {"color": "$accent", "width": 1.5},
         "customdata": frame["n"],
         "hovertemplate": "predicted %{x:.2f}, fakes %{y:.2f}, of %{customdata}<extra></extra>"},
    ]  # fmt: skip
    axis = {"range": [-0.02, 1.02], "tickformat": ".1f"}
    return Figure(
        "reliability",
        "Is it calibrated?",
        f"Reliability diagram: photographs in {len(frame)} groups by their predicted probability of fake, and the "
        f"share of fakes in each, with 95% intervals. Of these groups, {verdict}.",
        traces,
        {"xaxis": {"title": {"text": "predicted probability of fake"}, **axis},
         "yaxis": {"title": {"text": "share of fakes"}, **axis}},
        Table(
            "reliability-numbers",
            "Groups of photographs by their predicted probability",
            frame,
            (Column("said", "Mean probability", "score"), Column("fakes", "Share of fakes", "score"),
             Column("low", "from", "score"), Column("high", "to", "score"), Column("n", "Photographs", "count")),
        ),
    )  # fmt: skip


def _histogram(probabilities: Array, labels: Labels) -> pd.DataFrame:
    """Return how many real and how many fake photographs have which probability."""
    edges = np.linspace(0, 1, _NARROW_BINS + 1)
    counts = {name: np.histogram(probabilities[labels == label], edges)[0] for label, name in enumerate(CLASSES)}
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], **counts})


def _draw_histogram(frame: pd.DataFrame, probabilities: Array) -> Figure:
    low, high = UNSURE
    unsure = float(((probabilities > low) & (probabilities < high)).mean())
    traces = [
        {"type": "bar", "x": (frame["from"] + frame["to"]) / 2, "y": frame[name], "name": name,
         "marker": {"color": f"${name}"}, "hovertemplate": f"%{{y}} {name} near %{{x:.2f}}<extra></extra>"}
        for name in CLASSES
    ]  # fmt: skip
    top = float(np.log10(frame[list(CLASSES)].to_numpy().max() + 1)) + 0.15
    layout = {
        "barmode": "group",
        "bargap": 0.08,
        "xaxis": {"title": {"text": "predicted probability of fake"}, "range": [0, 1], "tickformat": ".1f"},
        "yaxis": {"title": {"text": "photographs (log scale)"}, "type": "log", "dtick": 1, "range": [-0.3, top]},
        "shapes": [_upright(THRESHOLD)],
    }
    return Figure(
        "by-class",
        "How confident is it?",
        f"Histogram of the probabilities of real and of fake photographs, on a logarithmic scale. {unsure:.1%} of all "
        f"photographs lie between {low} and {high}.",
        traces,
        layout,
        Table(
            "by-class-numbers",
            "Photographs by probability and by class",
            frame,
            (Column("from", "From", "weight"), Column("to", "to", "weight"), Column("real", "Real", "count"),
             Column("fake", "Fake", "count")),
        ),
    )  # fmt: skip


def _by_threshold(probabilities: Array, labels: Labels) -> pd.DataFrame:
    """Return the accuracy at every threshold, and which belong to the plateau of the best."""
    thresholds = np.round(np.linspace(0.01, 0.99, 99), 2)
    accuracy = np.array([((probabilities >= line) == (labels == 1)).mean() for line in thresholds])
    plateau = np.isin(np.arange(len(thresholds)), _unbroken(accuracy))
    return pd.DataFrame({"threshold": thresholds, "accuracy": accuracy, "plateau": plateau})


def _unbroken(accuracy: Array) -> NDArray[np.intp]:
    """Return the rows around the best, within 0.4 points: a valley ends them, as in `blend.threshold.plateau`."""
    best, low = int(accuracy.argmax()), np.flatnonzero(accuracy < accuracy.max() - PLATEAU)
    first = int(low[low < best].max(initial=-1)) + 1
    last = int(low[low > best].min(initial=len(accuracy))) - 1
    return np.arange(first, last + 1)


def _draw_thresholds(frame: pd.DataFrame, at_half: float) -> Figure:
    best, plateau = frame.iloc[int(frame["accuracy"].argmax())], frame[frame["plateau"]]["threshold"]
    first, last = float(plateau.min()), float(plateau.max())
    band = {"type": "rect", "xref": "x", "yref": "paper", "x0": first, "x1": last, "y0": 0, "y1": 1,
            "fillcolor": "$accent", "opacity": 0.12, "line": {"width": 0}}  # fmt: skip
    traces = [
        {"type": "scatter", "mode": "lines", "x": frame["threshold"], "y": frame["accuracy"], "name": "accuracy",
         "line": {"color": "$accent"}, "hovertemplate": "threshold %{x:.2f}: %{y:.4f}<extra></extra>"}
    ]  # fmt: skip
    layout = {
        "showlegend": False,
        "xaxis": {"title": {"text": "predicted fake from this probability on"}, "range": [0, 1], "tickformat": ".1f"},
        "yaxis": {"title": {"text": "accuracy"}, "tickformat": ".3f"},
        "shapes": [band, _upright(THRESHOLD)],
    }
    return Figure(
        "over-threshold",
        "Is 0.5 the right place to decide?",
        f"Accuracy over the threshold. At 0.5 it is {at_half:.4f}; the best, chosen on the same photographs, is "
        f"{best['accuracy']:.4f} at {best['threshold']:.2f}. The plateau of thresholds within {PLATEAU} of the best "
        f"reaches from {first:.2f} to {last:.2f}: 0.5 lies {'on' if first <= THRESHOLD <= last else 'beside'} it.",
        traces,
        layout,
        Table(
            "over-threshold-numbers",
            "Accuracy by threshold",
            frame,
            (Column("threshold", "Threshold", "weight"), Column("accuracy", "Accuracy", "score"),
             Column("plateau", "On the plateau")),
        ),
    )  # fmt: skip


def _by_coverage(probabilities: Array, labels: Labels) -> pd.DataFrame:
    """Return the accuracy on the photographs about which the blend is most confident."""
    order = np.argsort(-np.abs(probabilities - THRESHOLD), kind="stable")
    right = correct_probabilities(probabilities, labels)[order]
    rows = []
    for share in _COVERAGES:
        n = max(round(share * len(right)), 1)
        hits = int(right[:n].sum())
        low, high = wilson_interval(hits, n)
        sureness = float(0.5 + abs(probabilities[order[n - 1]] - THRESHOLD))
        row = {"coverage": share, "n": n, "accuracy": hits / n, "low": low, "high": high, "wrong": n - hits}
        rows.append(row | {"sureness": sureness})
    return pd.DataFrame(rows)


def _draw_coverage(frame: pd.DataFrame) -> Figure:
    line: dict[str, object] = {"type": "scatter", "mode": "lines", "x": frame["coverage"], "showlegend": False}
    traces = [
        line | {"y": frame["low"], "line": {"width": 0}, "hoverinfo": "skip"},
        line | {"y": frame["high"], "line": {"width": 0}, "hoverinfo": "skip", "fill": "tonexty",
                "fillcolor": "rgba(120,150,190,0.25)"},
        line | {"y": frame["accuracy"], "mode": "lines+markers", "line": {"color": "$accent"},
                "marker": {"color": "$accent"}, "hovertemplate": "the surest %{x:.0%}: %{y:.4f}<extra></extra>"},
    ]  # fmt: skip
    nine = frame[frame["coverage"] == 0.9].iloc[0]
    return Figure(
        "over-coverage",
        "What does abstaining gain?",
        "Accuracy on the photographs about which the blend is most confident, with 95% intervals. On the most "
        f"confident 90% it is {nine['accuracy']:.4f} ({nine['wrong']:.0f} of {nine['n']:.0f} wrong), on all "
        f"{frame['accuracy'].iloc[0]:.4f}.",
        traces,
        {"xaxis": {"title": {"text": "share of photographs decided"}, "tickformat": ".0%", "autorange": "reversed"},
         "yaxis": {"title": {"text": "accuracy"}, "tickformat": ".3f"}},
        Table(
            "over-coverage-numbers",
            "Accuracy when the least confident decisions are withheld",
            frame,
            (Column("coverage", "Decided", "weight"), Column("n", "Photographs", "count"),
             Column("accuracy", "Accuracy", "score"), Column("low", "from", "score"), Column("high", "to", "score"),
             Column("wrong", "Wrong", "count"), Column("sureness", "Lowest confidence", "score")),
        ),
    )  # fmt: skip


def _upright(x: float) -> dict[str, object]:
    """Return a dotted line from bottom to top."""
    line = {"color": "$ink", "dash": "dot", "width": 1}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}
