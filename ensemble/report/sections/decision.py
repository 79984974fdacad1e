"""Whether a probability may be believed, whether 0.5 is the right place to decide, and what abstaining buys."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.intervals import wilson_interval
from ensemble.core.metrics.scores import PLATEAU, THRESHOLD, is_right
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Figure, Section, Table, Text

_BINS = 10
_NARROW_BINS = 20
_COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


def decision(material: Material) -> Section | None:
    """Four pictures of the blend's nested probabilities; None where there is no blend."""
    if material.blend is None or material.manifest is None:
        return None
    probabilities, labels = material.blend.probabilities, material.labels[material.blend.rows]
    rule = material.manifest["decision_rule"]
    blocks: tuple[Block, ...] = (
        Text((f"Of several ways to put the decision at 0.5, the one that was taken: {rule}.",)),
        reliability(probabilities, labels),
        by_class(probabilities, labels),
        over_threshold(probabilities, labels),
        over_coverage(probabilities, labels),
    )
    lead = f"The blend's nested probabilities of {len(labels):,} training photographs."
    return Section("decision", "The decision", lead, blocks)


def reliability(probabilities: Array, labels: Labels) -> Figure:
    """Of the photographs that get about this probability, how many are fakes."""
    place = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    rows = []
    for number in np.unique(place):
        here = place == number
        fakes, n = int(labels[here].sum()), int(here.sum())
        low, high = wilson_interval(fakes, n)
        said = float(probabilities[here].mean())
        rows.append({"said": said, "fakes": fakes / n, "low": low, "high": high, "n": n})
    frame = pd.DataFrame(rows)
    outside = int(((frame["said"] < frame["low"]) | (frame["said"] > frame["high"])).sum())
    verdict = "all agree with what was said within their 95% intervals" if not outside else (
        f"{outside} differ from what was said by more than their 95% interval (one in twenty does by chance)"
    )  # fmt: skip
    bars = {
        "type": "data",
        "symmetric": False,
        "array": frame["high"] - frame["fakes"],
        "arrayminus": frame["fakes"] - frame["low"],
        "color": "$accent",
    }
    traces = [
        {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "name": "what a perfect one does",
         "line": {"color": "$muted", "dash": "dot", "width": 1}, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "lines+markers", "x": frame["said"], "y": frame["fakes"], "error_y": bars,
         "name": "the blend", "marker": {"color": "$accent", "size": 7}, "line": {"color": "$accent", "width": 1.5},
         "customdata": frame["n"], "hovertemplate": "said %{x:.2f}, fakes %{y:.2f}, of %{customdata}<extra></extra>"},
    ]  # fmt: skip
    axis = {"range": [-0.02, 1.02], "tickformat": ".1f"}
    return Figure(
        "reliability",
        "May the probability be believed?",
        f"Reliability diagram: photographs in {len(frame)} groups by the probability of fake that they got, and the "
        f"share of fakes in each, with 95% intervals. Of these groups, {verdict}.",
        traces,
        {
            "xaxis": {"title": {"text": "probability of fake, as said"}, **axis},
            "yaxis": {"title": {"text": "share of fakes"}, **axis},
        },
        Table(
            "reliability-numbers",
            "Groups of photographs by the probability that they got",
            frame,
            (
                Column("said", "Mean probability", "score"),
                Column("fakes", "Share of fakes", "score"),
                Column("low", "from", "score"),
                Column("high", "to", "score"),
                Column("n", "Photographs", "count"),
            ),
        ),
    )


def by_class(probabilities: Array, labels: Labels) -> Figure:
    """How the probabilities of real and of fake photographs are spread."""
    edges = np.linspace(0, 1, _NARROW_BINS + 1)
    counts = {name: np.histogram(probabilities[labels == label], edges)[0] for label, name in enumerate(_CLASSES)}
    unsure = float(((probabilities > 0.2) & (probabilities < 0.8)).mean())
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:], **counts})
    traces = [
        {"type": "bar", "x": (edges[:-1] + edges[1:]) / 2, "y": count, "name": name, "marker": {"color": f"${name}"},
         "hovertemplate": f"%{{y}} {name} near %{{x:.2f}}<extra></extra>"}
        for name, count in counts.items()
    ]  # fmt: skip
    top = float(np.log10(max(count.max() for count in counts.values()) + 1)) + 0.15
    layout = {
        "barmode": "group",
        "bargap": 0.08,
        "xaxis": {"title": {"text": "probability of fake"}, "range": [0, 1], "tickformat": ".1f"},
        "yaxis": {"title": {"text": "photographs (log scale)"}, "type": "log", "dtick": 1, "range": [-0.3, top]},
        "shapes": [_upright(THRESHOLD)],
    }
    return Figure(
        "by-class",
        "How sure is it?",
        f"Histogram of the probabilities of real and of fake photographs, on a logarithmic scale. {unsure:.1%} of all "
        "photographs lie between 0.2 and 0.8.",
        traces,
        layout,
        Table(
            "by-class-numbers",
            "Photographs by probability and by what they are",
            frame,
            (
                Column("from", "From", "weight"),
                Column("to", "to", "weight"),
                Column("real", "Real", "count"),
                Column("fake", "Fake", "count"),
            ),
        ),
    )


_CLASSES = ("real", "fake")


def over_threshold(probabilities: Array, labels: Labels) -> Figure:
    """What the accuracy would be if the line were drawn elsewhere."""
    thresholds = np.round(np.linspace(0.01, 0.99, 99), 2)
    accuracy = np.array([((probabilities >= line) == (labels == 1)).mean() for line in thresholds])
    at_half, best = float(is_right(probabilities, labels).mean()), float(accuracy.max())
    plateau = thresholds[_unbroken(accuracy)]
    inside = bool(plateau.min() <= THRESHOLD <= plateau.max())
    words = "0.5 lies on it" if inside else "0.5 lies beside it"
    band = {"type": "rect", "xref": "x", "yref": "paper", "x0": plateau.min(), "x1": plateau.max(), "y0": 0, "y1": 1,
            "fillcolor": "$accent", "opacity": 0.12, "line": {"width": 0}}  # fmt: skip
    traces = [
        {"type": "scatter", "mode": "lines", "x": thresholds, "y": accuracy, "name": "accuracy",
         "line": {"color": "$accent"}, "hovertemplate": "line at %{x:.2f}: %{y:.4f}<extra></extra>"}
    ]  # fmt: skip
    layout = {
        "showlegend": False,
        "xaxis": {
            "title": {"text": "photographs at or above this are called fake"},
            "range": [0, 1],
            "tickformat": ".1f",
        },
        "yaxis": {"title": {"text": "accuracy"}, "tickformat": ".3f"},
        "shapes": [band, _upright(THRESHOLD)],
    }
    return Figure(
        "over-threshold",
        "Is 0.5 the right place to decide?",
        f"Accuracy over the threshold. At 0.5 it is {at_half:.4f}; the best, chosen on these very rows, is {best:.4f} "
        f"at {thresholds[accuracy.argmax()]:.2f}. The plateau of thresholds within {PLATEAU} of the best reaches from "
        f"{plateau.min():.2f} to {plateau.max():.2f}: {words}.",
        traces,
        layout,
        Table(
            "over-threshold-numbers",
            "Accuracy by threshold",
            pd.DataFrame({"threshold": thresholds, "accuracy": accuracy, "plateau": np.isin(thresholds, plateau)}),
            (Column("threshold", "Threshold", "weight"), Column("accuracy", "Accuracy", "score"),
             Column("plateau", "On the plateau")),
        ),
    )  # fmt: skip


def _unbroken(accuracy: Array) -> NDArray[np.intp]:
    """Places of the hill around the best, within 0.4 points: a valley ends it, as in `blend.threshold.plateau`."""
    best, low = int(accuracy.argmax()), np.flatnonzero(accuracy < accuracy.max() - PLATEAU)
    first = int(low[low < best].max(initial=-1)) + 1
    last = int(low[low > best].min(initial=len(accuracy))) - 1
    return np.arange(first, last + 1)


def over_coverage(probabilities: Array, labels: Labels) -> Figure:
    """What the accuracy is on those photographs about which the blend is surest."""
    order = np.argsort(-np.abs(probabilities - THRESHOLD), kind="stable")
    right = is_right(probabilities, labels)[order]
    rows = []
    for share in _COVERAGES:
        n = max(round(share * len(right)), 1)
        hits = int(right[:n].sum())
        low, high = wilson_interval(hits, n)
        sureness = float(0.5 + abs(probabilities[order[n - 1]] - THRESHOLD))
        row = {"coverage": share, "n": n, "accuracy": hits / n, "low": low, "high": high, "wrong": n - hits}
        rows.append(row | {"sureness": sureness})
    frame = pd.DataFrame(rows)
    hover = "the surest %{x:.0%}: %{y:.4f}<extra></extra>"
    traces = [
        {"type": "scatter", "mode": "lines", "x": frame["coverage"], "y": frame["low"], "line": {"width": 0},
         "showlegend": False, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "lines", "x": frame["coverage"], "y": frame["high"], "line": {"width": 0},
         "fill": "tonexty", "fillcolor": "rgba(120,150,190,0.25)", "showlegend": False, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "lines+markers", "x": frame["coverage"], "y": frame["accuracy"],
         "line": {"color": "$accent"}, "marker": {"color": "$accent"}, "hovertemplate": hover, "showlegend": False},
    ]  # fmt: skip
    nine = frame[frame["coverage"] == 0.9].iloc[0]
    return Figure(
        "over-coverage",
        "What does abstaining buy?",
        "Accuracy on the photographs about which the blend is surest, with 95% intervals. On the surest 90% it is "
        f"{nine['accuracy']:.4f} ({nine['wrong']:.0f} of {nine['n']:.0f} wrong), on all "
        f"{frame['accuracy'].iloc[0]:.4f}.",
        traces,
        {
            "xaxis": {"title": {"text": "share of photographs decided"}, "tickformat": ".0%", "autorange": "reversed"},
            "yaxis": {"title": {"text": "accuracy"}, "tickformat": ".3f"},
        },
        Table(
            "over-coverage-numbers",
            "Accuracy when the least sure photographs are left undecided",
            frame,
            (
                Column("coverage", "Decided", "weight"),
                Column("n", "Photographs", "count"),
                Column("accuracy", "Accuracy", "score"),
                Column("low", "from", "score"),
                Column("high", "to", "score"),
                Column("wrong", "Wrong", "count"),
                Column("sureness", "Least probability of what is said", "score"),
            ),
        ),
    )


def _upright(x: float) -> dict[str, object]:
    """A dotted line from bottom to top."""
    line = {"color": "$ink", "dash": "dot", "width": 1}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}
