"""The report as one self-contained HTML page: styles, scripts, figures and photographs are all inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ensemble.report.render.blocks import Column, Figure, Gallery, Section, Table, blocks_of
from ensemble.report.render.figures import as_plotly
from ensemble.report.render.formats import error_of, format_value
from ensemble.report.render.gallery import exhibits_of, figure_of, first_places, format_decision

SCRIPTS = ("tables.js", "figures.js", "page.js")  # one script, in this order
_MOST_TINT = 40  # percent of the accent colour behind a shaded cell: text on it keeps its contrast


def render(title: str, warning: str, sections: Sequence[Section], signature: str) -> str:
    """Render the page.

    Parameters
    ----------
    title : str
        What the report is of.
    warning : str
        What a reader must know before any number, such as that the data is synthetic; empty for none.
    signature : str
        Identifies what the page was made from; stored in the page, so that it is not written twice.
    """
    figures = {figure.id: {"traces": figure.traces, "layout": figure.layout} for figure in blocks_of(sections, Figure)}
    galleries = list(blocks_of(sections, Gallery))
    figures |= figure_of(galleries)
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            warning=warning,
            sections=sections,
            signature=signature,
            style=_resource("style.css") + (_resource("gallery.css") if galleries else ""),
            script=Markup("\n").join(map(_resource, [*SCRIPTS, *(["gallery.js"] if galleries else [])])),
            exhibits=_as_json(exhibits_of(galleries)) if galleries else "",
            first_places=first_places(galleries),
            plotly=_plotly() if figures else "",
            figures=_as_json(as_plotly(figures)),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ensemble.report", "render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "cells_of": cells_of,
        "notes_of": notes_of,
        "class_of": lambda block: type(block).__name__,
        "format_decision": format_decision,
    }
    environment.filters["breakable"] = breakable
    return environment


def cells_of(table: Table) -> list[list[dict[str, Any]]]:
    """Return rows of cells: `text`, `error`, `sort` (the sort key), `tint` (percent, or None) and `dots` (or None)."""
    tints, scale = _tints(table), _dots_scale(table)
    return [
        [
            {
                "text": format_value(row[column.key], column.kind),
                "error": error_of(row, column),
                "sort": _sort_value(row[column.key]),
                "tint": tints[column.key][place] if column.key in tints else None,
                "dots": _dots(row[column.key], *scale) if column.kind == "dots" and scale else None,
            }
            for column in table.columns
        ]
        for place, row in enumerate(table.frame.to_dict("records"))
    ]


def notes_of(table: Table) -> list[dict[str, str]]:
    """Return the notes below a table: the meaning of columns, and the scale of its dots."""
    scale = _dots_scale(table)
    notes = [{"title": column.title, "text": _note(column, scale)} for column in table.columns]
    return [note for note in notes if note["text"]]


def _note(column: Column, scale: tuple[float, float] | None) -> str:
    parts = [column.note.rstrip(".")] if column.note else []
    if column.kind == "dots" and scale:
        parts.append(f"from {format_value(scale[0], 'score')} on the left to {format_value(scale[1], 'score')}")
    return "; ".join(parts)


def breakable(text: str) -> Markup:
    """Escape text, and allow a line break after each underscore of a name."""
    return Markup(str(escape(text)).replace("_", "_<wbr>"))  # noqa: S704  (escaped before)


def _sort_value(value: Any) -> Any:
    """Return a sort key: numbers by size, dots by their mean; an empty text, which comes last, for what is missing."""
    if isinstance(value, list | tuple):
        return float(np.mean(value)) if len(value) else ""
    if isinstance(value, int | float | np.number):
        return "" if value != value else float(value)
    return "" if value is None else str(value)


def _tints(table: Table) -> dict[str, list[int | None]]:
    """Return the percent of colour behind each cell of the shaded columns, on one scale for all of them."""
    keys = [column.key for column in table.columns if column.shade]
    if not keys or table.frame.empty:
        return {}
    values = table.frame[keys].to_numpy(dtype=float)
    if not np.isfinite(values).any():
        return {}
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    shares = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return {
        key: [round(_MOST_TINT * share) if np.isfinite(share) else None for share in shares[:, place]]
        for place, key in enumerate(keys)
    }


def _dots_scale(table: Table) -> tuple[float, float] | None:
    """Return the smallest and the largest dot of the table."""
    dots = [column.key for column in table.columns if column.kind == "dots"]
    values = [float(v) for key in dots for row in table.frame[key] if isinstance(row, list | tuple) for v in row]
    return (min(values), max(values)) if values else None


def _dots(values: Any, low: float, high: float) -> list[dict[str, Any]]:
    if not isinstance(values, list | tuple):
        return []
    width = (high - low) or 1.0
    return [{"x": round(6 + 108 * (value - low) / width, 1), "text": format_value(value, "score")} for value in values]


def _as_json(value: Any) -> Markup:
    """Return JSON for a script element: nothing in it can end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def _resource(name: str) -> Markup:
    text = (files("ensemble.report") / "render" / name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  (our own file)


def _plotly() -> Markup:
    """Return Plotly.js as its Python package ships it."""
    text = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return Markup(text.replace("</script", "<\\/script"))  # noqa: S704  (a package's own file)
