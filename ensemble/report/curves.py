"""A member's training as a picture: a panel for each quantity that its history tells, a line for each fold."""

from __future__ import annotations

import hashlib
import math
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.core.storage.files import Location
from ensemble.report.facts.histories import PANELS, Histories, Line, Panel, lines_of, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

CURVES = "learning_curves.svg"  # beside the member's report

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


def learning_curves(histories: Histories) -> str:
    """Draw the histories of a member's folds.

    Parameters
    ----------
    histories : dict of int to list of dict
        As `histories.lines_of` takes them.

    Returns
    -------
    str
        An SVG, the same for the same histories; empty when there is nothing to draw.
    """
    lines = lines_of(histories)
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
        return _identifier(lines_of(histories)) in path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def panel_titles(histories: Histories) -> list[str]:
    """What the picture shows; empty when there is nothing to draw."""
    return [panel.title for panel in panels_of(lines_of(histories))]


def _identifier(lines: list[Line]) -> str:
    """Of what is drawn and of the code that draws it."""
    return f"sha256:{hashlib.sha256(Path(__file__).read_bytes() + repr((PANELS, lines)).encode()).hexdigest()}"


def _figure(lines: list[Line]) -> Figure:
    from matplotlib.figure import Figure

    panels, colours = panels_of(lines), _colours(lines)
    handles = _handles(lines, colours)
    rows, columns = math.ceil(len(panels) / 2), min(len(panels), 2)
    legend_rows = math.ceil(len(handles) / (_LEGEND_COLUMNS * columns))
    figure = Figure(figsize=(4.5 * columns, 2.6 * rows + 0.25 * legend_rows), layout="constrained", facecolor="white")
    for place, panel in enumerate(panels, start=1):
        _draw(figure.add_subplot(rows, columns, place), panel, lines, colours)
    figure.legend(handles=handles, loc="outside lower center", ncols=_LEGEND_COLUMNS * columns, frameon=False)
    return figure


def _colours(lines: list[Line]) -> dict[int, str]:
    """A colour for each fold."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    folds = sorted({line.fold for line in lines})
    if len(folds) <= len(_COLOURS):
        return dict(zip(folds, _COLOURS, strict=False))
    return {fold: to_hex(colormaps["viridis"](0.85 * place / (len(folds) - 1))) for place, fold in enumerate(folds)}


def _draw(axes: Axes, panel: Panel, lines: list[Line], colours: dict[int, str]) -> None:
    here = [line for line in lines if line.key in (panel.key, panel.dashed)]
    for line in here:
        axes.plot(
            line.epochs,
            line.measured,
            color=colours[line.fold],
            linewidth=1,
            linestyle="--" if line.key == panel.dashed else "-",
            marker="." if len(line.measured) <= _POINTS_MARKED else "",
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


def _handles(lines: list[Line], colours: dict[int, str]) -> list[Line2D]:
    """The entries of the legend."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, label=f"fold {fold}") for fold, colour in colours.items()]
    if any(line.key == panel.dashed for line in lines for panel in PANELS):
        handles.append(Line2D([], [], color="0.3", linestyle="--", linewidth=1, label="own validation rows"))
    return handles
