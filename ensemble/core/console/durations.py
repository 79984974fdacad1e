"""Durations as text: `45 s`, `12 min`, `3 h 20 min`."""

from __future__ import annotations

import math
import re

from ensemble.core.errors import UserError

_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)")


def format_duration(seconds: float) -> str:
    """Format a duration: `45 s`, `12 min`, `3 h 20 min`."""
    if math.isinf(seconds):
        return "for ever"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def parse_duration(text: str, option: str) -> float:
    """Parse a duration of the command line into seconds: `90s`, `15min`, `1h30m`, `2 h`.

    Raises
    ------
    UserError
        It is not a duration, or it is zero.
    """
    parts = _PART.findall(text.lower())
    written = "".join(f"{number}{unit}" for number, unit in parts)
    known = written == re.sub(r"\s", "", text.lower()) and all(unit in _SECONDS for _, unit in parts)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts) if known else 0.0
    if seconds <= 0:
        raise UserError(f"{option} takes a duration such as 90s, 15min or 1h30m, not {text!r}")
    return seconds
