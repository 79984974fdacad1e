"""JSON files, which somebody else may have written or cut short."""

from __future__ import annotations

import json
from typing import TypeVar

from ensemble.core.storage.files import Location

T = TypeVar("T", dict, list)  # type: ignore[type-arg]  # of anything


def read_json(path: Location, kind: type[T]) -> T:
    """Return the content of a file, which is an object (`dict`) or an array (`list`).

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not JSON, is nested too deeply, or of another kind.
    """
    return parse_json(path.read_bytes(), kind)


def parse_json(content: bytes, kind: type[T]) -> T:
    """Return what a text holds; the errors are those of `read_json`."""
    try:
        found = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, kind):
        raise ValueError(f"it is not a JSON {'object' if kind is dict else 'array'}")
    return found
