"""Crops whose corners lie on the grid of JPEG's blocks, so that every crop shows the same phase of the grid."""

from __future__ import annotations

import math
from typing import Final

import torch

GRID: Final = 8  # pixels: the side of JPEG's blocks
Corner = tuple[int, int]  # top, left


def check_grid(crop: int | None) -> None:
    """Refuse a crop that leaves the grid."""
    if crop is not None and crop % GRID:
        raise ValueError(f"crop={crop} is no multiple of {GRID}, the side of JPEG's blocks")


def check_crop(crop: int | None, size: tuple[int, int]) -> None:
    """Refuse a crop that leaves the grid or is larger than the photographs."""
    check_grid(crop)
    if crop is not None and crop > min(size):
        raise ValueError(f"crop={crop} is larger than the photographs, which are {size[0]} x {size[1]} pixels")


def size_of_view(crop: int | None, size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a network's input: that of the crop, or of the whole photograph."""
    return (crop, crop) if crop else size


def random_crops(photographs: torch.Tensor, crop: int) -> torch.Tensor:
    """Cut one crop from each photograph, uint8 (n, height, width, 3); corners are drawn from torch's own generator."""
    places = [(side - crop) // GRID + 1 for side in photographs.shape[1:3]]
    corners = [GRID * torch.randint(count, (len(photographs),)) for count in places]
    return torch.stack(
        [
            photograph[top : top + crop, left : left + crop]
            for photograph, top, left in zip(photographs, *(axis.tolist() for axis in corners), strict=True)
        ]
    )


def crop_grid(size: tuple[int, int], crop: int) -> list[Corner]:
    """Return the fewest corners, evenly spread and aligned, whose crops cover a photograph of `size`.

    Where the side is no multiple of 8, up to 7 pixels at its end may be in no crop.
    """
    tops, lefts = (_spread(side, crop) for side in size)
    return [(top, left) for top in tops for left in lefts]


def cut(photographs: torch.Tensor, corner: Corner, crop: int) -> torch.Tensor:
    """Return the same crop of all photographs, a view."""
    top, left = corner
    return photographs[:, top : top + crop, left : left + crop]


def _spread(side: int, crop: int) -> list[int]:
    last = (side - crop) // GRID  # in units of the grid
    count = math.ceil((GRID * last + crop) / crop)
    return [GRID * round(last * index / max(count - 1, 1)) for index in range(count)]
