"""Values of a table as text, with as many digits as they justify."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ensemble.report.render.blocks import Column, Kind

NOTHING = ""


def format_value(value: Any, kind: Kind) -> str:
    """Format a value by its kind; empty for what is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, list | tuple):
        return " ".join(format_value(each, "score") for each in value)
    if kind == "text" or isinstance(value, str):
        return str(value)
    return _WRITERS[kind](float(value))


def format_cell(row: Mapping[Any, Any], column: Column) -> str:
    """Format a cell, with its standard error if the column has one."""
    text, error = format_value(row[column.key], column.kind), error_of(row, column)
    return f"{text} ± {error}" if error else text


def error_of(row: Mapping[Any, Any], column: Column) -> str:
    """Format the standard error of a cell; empty where there is none, or no value."""
    has_error = column.error and format_value(row[column.key], column.kind)
    return format_value(row.get(column.error), "score") if has_error else NOTHING


def _seconds(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 10 else f"{value:,.0f}"


_WRITERS: dict[str, Callable[[float], str]] = {
    "count": lambda value: f"{value:,.0f}",
    "score": lambda value: f"{value:.4f}",
    "gain": lambda value: f"{value:+.4f}",
    "weight": lambda value: f"{value:.2f}",
    "number": lambda value: f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}",
    "seconds": _seconds,
    "bytes": lambda value: f"{value:,.0f}",
    "dots": lambda value: f"{value:.4f}",
}
