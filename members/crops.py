"""Crops whose corners lie on the grid of JPEG's blocks, so that every crop shows the same phase of the grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

GRID: Final = 8  # pixels: the side of JPEG's blocks
Size = tuple[int, int]  # height, width
Corner = tuple[int, int]  # top, left


def check_grid(crop: int | None) -> None:
    """Refuse a crop that leaves the grid."""
    if crop is not None and crop % GRID:
        raise ValueError(f"crop={crop} is no multiple of {GRID}, the side of JPEG's blocks")


def check_crop(crop: int | None, size: Size) -> None:
    """Refuse a crop that leaves the grid or is larger than the photographs."""
    check_grid(crop)
    if crop is not None and crop > min(size):
        raise ValueError(f"crop={crop} is larger than the photographs, which are {size[0]} x {size[1]} pixels")


def size_of_view(crop: int | None, size: Size) -> Size:
    """Return the size of a network's input: that of the crop, or of the whole photograph."""
    return (crop, crop) if crop else size


def views(photographs: Any, *, flip: bool, crop: int | None) -> Iterator[Any]:
    """Yield all views of photographs (n, height, width, 3), array or tensor: each crop of the grid, and its mirror."""
    for corner in crop_grid(photographs.shape[1:3], crop) if crop else [(0, 0)]:
        view = cut(photographs, corner, crop) if crop else photographs
        yield view
        if flip:
            yield view.flip(2) if hasattr(view, "flip") else view[:, :, ::-1]  # tensors know no negative steps


def crop_grid(size: Size, crop: int) -> list[Corner]:
    """Return the fewest corners, evenly spread and aligned, whose crops cover a photograph of `size`.

    Where the side is no multiple of 8, up to 7 pixels at its end may be in no crop.
    """
    tops, lefts = (_spread(side, crop) for side in size)
    return [(top, left) for top in tops for left in lefts]


def cut(photographs: Any, corner: Corner, crop: int) -> Any:
    """Return the same crop of all photographs, a view."""
    top, left = corner
    return photographs[:, top : top + crop, left : left + crop]


def _spread(side: int, crop: int) -> list[int]:
    last = (side - crop) // GRID  # in units of the grid
    count = math.ceil((GRID * last + crop) / crop)
    return [GRID * round(last * index / max(count - 1, 1)) for index in range(count)]
