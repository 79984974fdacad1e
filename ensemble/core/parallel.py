"""Threads over long sequences whose items are read when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

AT_ONCE = 256  # items that are in memory


def blocks(length: int, at_once: int = AT_ONCE) -> Iterator[slice]:
    """Yield the rows of each block."""
    return (slice(start, min(start + at_once, length)) for start in range(0, length, at_once))


def in_threads(compute: Callable[[Any], Result], items: Any) -> list[Result]:
    """Compute all items of a sequence that can be sliced, on all cores: a pool alone would read all of them at once."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [result for rows in blocks(len(items)) for result in pool.map(compute, items[rows])]
