"""The quality that a JPEG was saved with, from its quantisation tables."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

# Tables K.1 and K.2 of the JPEG standard, which libjpeg scales to a quality.
_LUMINANCE = """
16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101  72 92 95 98 112 100 103 99
"""
_CHROMINANCE = """
17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99  24 26 56 99 99 99 99 99  47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99
"""


def jpeg_quality(tables: dict[int, list[int]]) -> float:
    """Return the quality whose tables in libjpeg are nearest to these (in natural order); NaN without tables."""
    if not tables:
        return float("nan")
    return _nearest(tuple(tuple(tables[key]) for key in sorted(tables)[:2]))


@lru_cache(maxsize=256)  # tables are as many as there are programs
def _nearest(found: tuple[tuple[int, ...], ...]) -> float:
    known = _libjpeg_tables()[:, : len(found)]
    distance = np.abs(known - np.array(found)).sum(axis=(1, 2))
    return float(np.argmin(distance) + 1)


@cache
def _libjpeg_tables() -> NDArray[np.int64]:
    """Return the tables of qualities 1 to 100: int64 (100, 2, 64)."""
    base = np.array([text.split() for text in (_LUMINANCE, _CHROMINANCE)], dtype=np.int64)
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((base * scale[:, None, None] + 50) // 100, 1, 255)
