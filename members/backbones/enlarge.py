"""Enlarging photographs in front of a network: two matrices, so that every engine computes the same pixels."""

from __future__ import annotations

import torch
from torch.nn import functional

LARGEST_FACTOR = 8  # from here on a number is the pixels of the longer side


def enlarged(size: tuple[int, int], enlarge: float) -> tuple[int, int]:
    """Return the size (height, width) of enlarged photographs.

    Raises
    ------
    ValueError
        They would be smaller than they are, which loses the traces.
    """
    factor = enlarge if enlarge < LARGEST_FACTOR else enlarge / max(size)
    if factor < 1:
        raise ValueError(
            f"enlarge={enlarge} would shrink photographs or crops of {size[0]} x {size[1]} pixels, which loses the "
            f"traces; set enlarge to more than {max(size)}, or to null"
        )
    return round(size[0] * factor), round(size[1] * factor)


def interpolation(side: int, enlarged_side: int) -> torch.Tensor:
    """Return float32 (enlarged_side, side): bicubic, antialiased as Pillow's (a = -0.5; Keys, 1981), along one side."""
    unit = torch.eye(side)[None, None]
    return functional.interpolate(unit, (enlarged_side, side), mode="bicubic", antialias=True)[0, 0]
