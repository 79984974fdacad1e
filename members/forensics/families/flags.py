"""Reasons to doubt the other columns of a photograph: flat areas, borders, too few pixels."""

from __future__ import annotations

import numpy as np

from members.forensics.blocks import BLOCK
from members.forensics.family import Family
from members.forensics.photograph import SMALLEST, Floats, Photograph

COLUMNS = ("flat_share", "letter_box_share", "mirrored_outward")


def flags(photograph: Photograph) -> Floats:
    """Return the share of 8 x 8 blocks of one colour, the share of pixels in borders of one colour, and a flag.

    The flag is 1 for a photograph with a side under 32 pixels, which was mirrored outward.
    """
    channels, height, width = photograph.rgb.shape
    blocks = photograph.rgb.reshape(channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    flat = (blocks.min(axis=(2, 4)) == blocks.max(axis=(2, 4))).all(axis=0).mean()
    rows, columns = (_inner_share(photograph, axis) for axis in (1, 2))
    return np.array([flat, 1 - rows * columns, min(photograph.size) < SMALLEST])


def _inner_share(photograph: Photograph, axis: int) -> float:
    """Share of the lines along an axis between the first and the last that is not of one colour."""
    lines = np.moveaxis(photograph.rgb, axis, 0).reshape(photograph.rgb.shape[axis], len(photograph.rgb), -1)
    varied = np.flatnonzero((lines.min(axis=2) < lines.max(axis=2)).any(axis=1))
    return (varied[-1] - varied[0] + 1) / len(lines) if len(varied) else 0.0


FAMILY = Family(COLUMNS, flags)
