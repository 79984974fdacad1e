"""Data for the page's scripts about the photographs: votes, spectra, and the figure in which a curve is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ensemble.core.arrays import Array
from ensemble.core.metrics.scores import THRESHOLD
from ensemble.report.render.blocks import Exhibit, Gallery

_DECIMALS = 4
CURVES = "exhibit-curves"  # the figure of the dialog; a photograph's own curve is added to it


def first_places(galleries: Sequence[Gallery]) -> set[tuple[str, str]]:
    """Return (gallery, photograph) of the first place of each picture: the page holds it only there."""
    seen: dict[str, str] = {}
    for gallery in galleries:
        for exhibit in gallery.exhibits:
            seen.setdefault(exhibit.key, gallery.id)
    return {(gallery, key) for key, gallery in seen.items()}


def exhibits_of(galleries: Sequence[Gallery]) -> dict[str, Any]:
    """Return what the dialog shows of each photograph, by its key."""
    return {exhibit.key: _exhibit(exhibit) for gallery in galleries for exhibit in gallery.exhibits}


def _exhibit(exhibit: Exhibit) -> dict[str, Any]:
    return {
        "name": exhibit.name,
        "split": exhibit.split,
        "truth": exhibit.truth,
        "spectrum": exhibit.spectrum,
        "curve": exhibit.curve,
        "votes": [[who, round(probability, 4)] for who, probability in exhibit.votes],
    }


def format_decision(probability: float) -> str:
    """Format a decision with its probability of fake, which is never rounded across 0.5, nor to certainty."""
    word = "fake" if probability >= THRESHOLD else "real"
    text = f"{probability:.2f}"
    return f"{word} ({text if text not in ('0.00', '0.50', '1.00') else f'{probability:.4f}'})"


def figure_of(galleries: Sequence[Gallery]) -> dict[str, Any]:
    """Return class means with their bands, as a Plotly figure by its id; empty where no photograph has a curve.

    Classes differ by tenths and a spectrum falls by many powers of ten: all is drawn as the difference from one mean.
    """
    gallery = next((each for each in galleries if each.frequencies), None)
    if gallery is None:
        return {}
    x, means = np.array(gallery.frequencies), {name: np.array(mean) for name, mean in gallery.means.items()}
    title, reference = next(iter(means.items()), ("", np.zeros(len(x))))
    traces = [_band(name, x, low - reference, high - reference) for name, (low, high) in gallery.bands.items()]
    traces += [_line(f"mean {name}", x, mean - reference, f"${name}") for name, mean in means.items()]
    layout = {
        "xaxis": {"title": {"text": "cycles a pixel (finest structure: right)"}, "range": [0, float(x.max())]},
        "yaxis": {"title": {"text": f"above the mean {title} (log10)" if title else "power (log10)"}},
        "hovermode": "x unified",
    }
    known = {"frequencies": x.tolist(), "reference": reference.tolist(), "means": gallery.means}
    return {CURVES: {"traces": traces, "layout": layout, **known}}


def _line(name: str, x: Array, y: Array, colour: str) -> dict[str, Any]:
    return {"type": "scatter", "mode": "lines", "name": name, "line": {"color": colour, "width": 2}} | _points(x, y)


def _band(name: str, x: Array, low: Array, high: Array) -> dict[str, Any]:
    """Return one closed shape from the 5th to the 95th percentile."""
    shape = {"fill": "toself", "fillcolor": f"${name}", "opacity": 0.18, "line": {"width": 0}}
    quiet = {"name": f"middle 90% of {name}", "hoverinfo": "skip", "showlegend": False}
    around = _points(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]))
    return {"type": "scatter", "mode": "lines"} | shape | quiet | around


def _points(x: Array, y: Array) -> dict[str, list[float]]:
    return {"x": x.tolist(), "y": np.round(y, _DECIMALS).tolist()}
