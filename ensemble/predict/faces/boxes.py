"""Boxes: rows float64 of left, top, right and bottom, in pixels, and a score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array

_MOST_COMPARED, _MOST_KEPT = 1000, 128  # no picture can make the work long


def scored(boxes: Array, scores: NDArray[np.floating[Any]]) -> Array:
    """Return boxes (n, 5) with new scores (n,)."""
    return np.column_stack([boxes[:, :4], scores])


def moved(boxes: Array, offsets: NDArray[np.floating[Any]]) -> Array:
    """Move the four sides of boxes by offsets (n, 4), in units of the boxes' width and height."""
    return scored(boxes[:, :4] + offsets * np.tile(boxes[:, 2:4] - boxes[:, :2], 2), boxes[:, 4])


def squared(boxes: Array) -> Array:
    """Return squares with the centres and the longer sides of boxes."""
    centres = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.column_stack([centres - half, centres + half, boxes[:, 4]])


def distinct(boxes: Array, overlap: float, of_smaller: bool = False) -> NDArray[np.intp]:
    """Return the rows of boxes, best first, without those that overlap a better one (non-maximum suppression).

    The overlap of two boxes is the area that they share, as part of the area that they cover together, or
    (`of_smaller`) as part of the smaller one's area.
    """
    rows, kept = np.argsort(-boxes[:, 4], kind="stable")[:_MOST_COMPARED], list[int]()
    while len(rows) and len(kept) < _MOST_KEPT:
        best, rows = rows[0], rows[1:]
        kept.append(int(best))
        rows = rows[_overlaps(boxes[best], boxes[rows], of_smaller) <= overlap]
    return np.array(kept, np.intp)


def _overlaps(box: Array, others: Array, of_smaller: bool) -> Array:
    sides = np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    own, areas = (box[2:4] - box[:2]).prod(), (others[:, 2:4] - others[:, :2]).prod(axis=1)
    whole = np.minimum(own, areas) if of_smaller else own + areas - shared
    overlaps: Array = shared / np.maximum(whole, 1e-9)
    return overlaps
