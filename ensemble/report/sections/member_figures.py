"""Figures of a member's own part: how it trained, and which features it relies on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ensemble.report.facts.families import MEASURES, FamilyShares
from ensemble.report.facts.histories import PANELS, Histories, Line, Panel, lines_of, panels_of
from ensemble.report.render.blocks import Column, Figure, Kind, Table

_MOST_POINTS = 100  # of a line: more cannot be seen, and the member's records hold all
_KINDS: dict[str, Kind] = {"learning_rate": "number", "photographs_per_second": "number"}
_UNITS = {"accuracy": ", share", "photographs_per_second": ", photographs/s"}  # a phone has no room for an axis's title
_PANEL_HEIGHT, _GAP = 190, 0.09


def curves_figure(member: str, histories: Histories) -> Figure | None:
    """Draw a member's histories, a panel for each quantity, one below the other; None where it recorded none."""
    lines = [_thinned(line) for line in lines_of(histories)]
    panels = panels_of(lines)
    if not panels:
        return None
    folds = sorted({line.fold for line in lines})
    return Figure(
        f"curves-of-{member}",
        f"How {member} trained",
        f"Learning curves, a line for each network of each fold: {', '.join(p.title.lower() for p in panels)}. "
        f"{_in_words(lines)} Recorded by the member on its training batches: these are not out-of-fold scores.",
        [_trace(line, panels, folds.index(line.fold)) for line in lines],
        _layout(panels),
        _numbers(member, lines),
        height=50 + _PANEL_HEIGHT * len(panels) + 20 * (len(folds) // 4),
    )


def _thinned(line: Line) -> Line:
    keep = np.unique(np.linspace(0, len(line.measured) - 1, _MOST_POINTS).round().astype(int))
    epochs, values = (tuple(numbers[place] for place in keep) for numbers in (line.epochs, line.measured))
    return Line(line.key, line.fold, line.network, epochs, values)


def _in_words(lines: list[Line]) -> str:
    """Describe from where to where each quantity went, on average."""
    sentences = []
    for panel in PANELS:
        here = [line.measured for line in lines if line.key == panel.key]
        if here:
            first, last = np.mean([v[0] for v in here]), np.mean([v[-1] for v in here])
            sentences.append(f"{panel.title} from {first:.3g} to {last:.3g}.")
    return " ".join(sentences)


def _trace(line: Line, panels: list[Panel], colour: int) -> dict[str, Any]:
    place = next(number for number, panel in enumerate(panels, 1) if line.key in (panel.key, panel.dashed))
    is_dashed = line.key == panels[place - 1].dashed
    name = f"fold {line.fold}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": line.epochs,
        "y": line.measured,
        "xaxis": f"x{place}" if place > 1 else "x",
        "yaxis": f"y{place}" if place > 1 else "y",
        "name": "own validation rows" if is_dashed else name,
        "legendgroup": "dashed" if is_dashed else name,
        "showlegend": line.network == 0 and (colour == 0 if is_dashed else place == 1),
        "line": {"color": f"${colour % 8 + 1}", "width": 1.5, "dash": "dash" if is_dashed else "solid"},
        "marker": {"color": f"${colour % 8 + 1}", "size": 4},
        "hovertemplate": f"{name}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
    }


def _layout(panels: list[Panel]) -> dict[str, Any]:
    """Place panels one below the other: side by side they would be too narrow on a phone."""
    layout: dict[str, Any] = {"margin": {"l": 56, "r": 12, "t": 22, "b": 44}, "annotations": []}
    height = (1 + _GAP) / len(panels) - _GAP
    for place, panel in enumerate(panels):
        number, top = "" if place == 0 else str(place + 1), 1 - place * (height + _GAP)
        is_last = place == len(panels) - 1
        layout[f"xaxis{number}"] = {
            "anchor": f"y{number}", "matches": "x" if place else None, "title": {"text": "epoch"} if is_last else None,
            "showticklabels": is_last,
        }  # fmt: skip
        layout[f"yaxis{number}"] = {
            "anchor": f"x{number}", "domain": [max(top - height, 0), top],
            "rangemode": "tozero" if panel.from_zero else "normal",
        }  # fmt: skip
        title = panel.title + _UNITS.get(panel.key, "")
        layout["annotations"].append(
            {"text": title, "x": 0, "y": top, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
             "showarrow": False, "font": {"size": 12}}
        )  # fmt: skip
    return layout


def _numbers(member: str, lines: list[Line]) -> Table:
    """Return a row for each epoch of each network."""
    rows: dict[tuple[int, int, float], dict[str, Any]] = {}
    for line in lines:
        for epoch, value in zip(line.epochs, line.measured, strict=True):
            row = rows.setdefault((line.fold, line.network, epoch), {})
            row |= {"fold": line.fold, "network": line.network, "epoch": epoch, line.key: value}
    frame = pd.DataFrame([rows[key] for key in sorted(rows)])
    keys = [(key, title) for panel in PANELS for key, title in _titles(panel) if key in frame]
    return Table(
        f"curves-of-{member}-numbers",
        f"Training history of {member}, epoch by epoch",
        frame[["fold", "network", "epoch", *(key for key, _ in keys)]],
        (
            Column("fold", "Fold", "count"),
            Column("network", "Network", "count"),
            Column("epoch", "Epoch", "number"),
            *(Column(key, title, _KINDS.get(key, "score")) for key, title in keys),
        ),
    )


def _titles(panel: Panel) -> list[tuple[str, str]]:
    dashed = [(panel.dashed, f"{panel.title}, own validation rows")] if panel.dashed else []
    return [(panel.key, panel.title), *dashed]


def families_figure(member: str, shares: FamilyShares) -> Figure:
    """Draw a bar for each family, the mean over folds, with the spread over folds."""
    table, measure = shares.table, MEASURES[shares.measure]
    most = ", ".join(f"{row.family} {row.share:.0%}" for row in table.head(3).itertuples())
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": table["share"],
        "y": table["family"],
        "error_x": {"type": "data", "array": table["deviation"].fillna(0), "color": "$muted", "thickness": 1},
        "marker": {"color": "$accent"},
        "customdata": table["columns"],
        "hovertemplate": "%{y}: %{x:.1%} of the weight, %{customdata} columns<extra></extra>",
    }
    n_folds = len(table["folds"].iloc[0])
    return Figure(
        f"families-of-{member}",
        f"Features that {member} uses",
        f"Features by family: {measure}. The mean of {n_folds} folds' models; thin lines are one standard deviation "
        f"over them. Most: {most}. This shows what the member uses, not what it would lose without: redundant columns "
        "share their weight by chance, and a family of many columns gathers more.",
        [bars],
        {
            "margin": {"l": 92, "r": 16, "t": 12, "b": 44},
            "xaxis": {"title": {"text": f"share of the {shares.measure}"}, "tickformat": ".0%", "rangemode": "tozero"},
            "yaxis": {"autorange": "reversed", "type": "category"},
        },
        Table(
            f"families-of-{member}-numbers",
            f"Features of {member} by family: {measure}",
            table,
            (Column("family", "Family"), Column("share", "Share, mean over folds", "score"),
             Column("deviation", "Standard deviation over folds", "score"), Column("folds", "Folds", "dots"),
             Column("columns", "Columns", "count")),
        ),
        height=80 + 28 * len(table),
    )  # fmt: skip
