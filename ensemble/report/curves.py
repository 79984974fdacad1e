"""A member's training as a picture: a panel for each quantity that its history tells, a line for each fold."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensemble.files import Location

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Histories = Mapping[int, list[dict[str, Any]]]
CURVES = "learning_curves.svg"  # beside the member's report


@dataclass(frozen=True)
class _Panel:
    """A quantity of the history; `dashed` is its twin on validation rows, `from_zero` says that its axis shows zero."""

    key: str
    title: str
    unit: str
    dashed: str = ""
    from_zero: bool = False


_PANELS = [
    _Panel("loss", "Loss", "loss, member's unit", dashed="validation_loss"),
    _Panel("accuracy", "Accuracy on training batches", "share of photographs"),
    _Panel("learning_rate", "Learning rate", "step size, no unit", from_zero=True),
    _Panel("photographs_per_second", "Speed", "photographs/s", from_zero=True),
]
# Text stays text, so that it can be searched and read aloud; ids come from the salt, so that equal data is equal bytes.
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "learning curves",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
}
# Okabe and Ito's, without black and yellow: told apart with any colour vision, and none too light for white.
_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
_LEGEND_COLUMNS = 3  # below each column of panels: as many as there is room for
_POINTS_MARKED = 60  # a longer line shows its epochs by itself, and a mark for each would make the file large
_LARGEST = 1e15  # nothing that is measured is larger, and half an epoch still counts beside it


@dataclass(frozen=True)
class _Line:
    """One network's course of one quantity."""

    key: str
    fold: int
    network: int
    epochs: tuple[float, ...]
    values: tuple[float, ...]


def learning_curves(histories: Histories) -> str:
    """Draw the histories of a member's folds.

    Parameters
    ----------
    histories : dict of int to list of dict
        For each fold one dict an epoch, as a member's `history_` tells it: `epoch` (default: its place in the list),
        `loss`, `validation_loss`, `accuracy`, `learning_rate`, `photographs_per_second`, and `seed` where a fold trains
        several networks. Every key may be missing; a value that is not a finite number is left out.

    Returns
    -------
    str
        An SVG, the same for the same histories; empty when there is nothing to draw.
    """
    lines = _lines(histories)
    if not lines:
        return ""
    # Imported here, since it takes most of a second: a run that draws nothing must not wait for it.
    from matplotlib.style import context

    text = StringIO()
    with context(["default", _STYLE]):  # whatever a user's own matplotlibrc says
        _figure(lines).savefig(text, format="svg", metadata={"Date": None, "Identifier": _identifier(lines)})
    return text.getvalue()


def is_drawn(path: Location, histories: Histories) -> bool:
    """Whether a file holds these very histories, drawn by this code: then matplotlib need not be imported."""
    try:
        return _identifier(_lines(histories)) in path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def panel_titles(histories: Histories) -> list[str]:
    """What the picture shows; empty when there is nothing to draw."""
    return [panel.title for panel in _panels(_lines(histories))]


def _identifier(lines: list[_Line]) -> str:
    return f"sha256:{hashlib.sha256(Path(__file__).read_bytes() + repr(lines).encode()).hexdigest()}"


def _panels(lines: list[_Line]) -> list[_Panel]:
    """The panels that have anything to show."""
    keys = {line.key for line in lines}
    return [panel for panel in _PANELS if keys & {panel.key, panel.dashed}]


def _lines(histories: Histories) -> list[_Line]:
    """Every line that can be drawn, folds in order."""
    keys = [key for panel in _PANELS for key in (panel.key, panel.dashed) if key]
    return [
        _Line(key, fold, number, *zip(*points, strict=True))
        for key in keys
        for fold, history in sorted(histories.items())
        for number, network in enumerate(_networks(history))
        if (points := list(_points(network, key)))
    ]


def _networks(history: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The epochs of each network of a fold."""
    networks: dict[str, list[dict[str, Any]]] = {}
    for entry in history:
        networks.setdefault(repr(entry.get("seed")), []).append(entry)
    return list(networks.values())


def _points(network: list[dict[str, Any]], key: str) -> Iterator[tuple[float, float]]:
    for place, entry in enumerate(network, start=1):
        value, epoch = _number(entry.get(key)), _number(entry.get("epoch"))
        if value is not None:
            yield float(place) if epoch is None else epoch, value


def _number(value: object) -> float | None:
    """A finite number of a size that can be drawn; None for all else: the data may be a foreign member's."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST else None  # not a number, infinity: false as well


def _figure(lines: list[_Line]) -> Figure:
    from matplotlib.figure import Figure

    panels, colours = _panels(lines), _colours(lines)
    handles = _handles(lines, colours)
    rows, columns = math.ceil(len(panels) / 2), min(len(panels), 2)
    legend_rows = math.ceil(len(handles) / (_LEGEND_COLUMNS * columns))
    figure = Figure(figsize=(4.5 * columns, 2.6 * rows + 0.25 * legend_rows), layout="constrained", facecolor="white")
    for place, panel in enumerate(panels, start=1):
        _draw(figure.add_subplot(rows, columns, place), panel, lines, colours)
    figure.legend(handles=handles, loc="outside lower center", ncols=_LEGEND_COLUMNS * columns, frameon=False)
    return figure


def _colours(lines: list[_Line]) -> dict[int, str]:
    """A colour for each fold."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    folds = sorted({line.fold for line in lines})
    if len(folds) <= len(_COLOURS):
        return dict(zip(folds, _COLOURS, strict=False))
    return {fold: to_hex(colormaps["viridis"](0.85 * place / (len(folds) - 1))) for place, fold in enumerate(folds)}


def _draw(axes: Axes, panel: _Panel, lines: list[_Line], colours: dict[int, str]) -> None:
    here = [line for line in lines if line.key in (panel.key, panel.dashed)]
    for line in here:
        axes.plot(
            line.epochs,
            line.values,
            color=colours[line.fold],
            linewidth=1,
            linestyle="--" if line.key == panel.dashed else "-",
            marker="." if len(line.values) <= _POINTS_MARKED else "",
            markersize=4,
            gid=f"{line.key}-of-fold-{line.fold}-{line.network}",
        )
    axes.set(title=panel.title, xlabel="epoch", ylabel=panel.unit)
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    _scale(axes, [epoch for line in here for epoch in line.epochs], panel.from_zero)


def _scale(axes: Axes, epochs: list[float], from_zero: bool) -> None:
    """Whole epochs below, half an epoch of room beside them; zero on the axis where small unrest would look large."""
    from matplotlib.ticker import MaxNLocator

    if from_zero:
        axes.update_datalim([(epochs[0], 0)])
        axes.autoscale_view()
    axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _handles(lines: list[_Line], colours: dict[int, str]) -> list[Line2D]:
    """The entries of the legend."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, label=f"fold {fold}") for fold, colour in colours.items()]
    if any(line.key == panel.dashed for line in lines for panel in _PANELS):
        handles.append(Line2D([], [], color="0.3", linestyle="--", linewidth=1, label="own validation rows"))
    return handles
