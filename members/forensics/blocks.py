"""Blocks of 8 x 8 pixels, as JPEG cuts them, and orthonormal bases for them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

BLOCK: Final = 8  # the side of a JPEG block, in pixels

Floats32 = npt.NDArray[np.float32]


def block_columns(planes: Floats32) -> Floats32:
    """Lay out every block as a column: (channels, height, width) to (channels, 64, blocks), rows of pixels in turn."""
    channels, height, width = planes.shape
    blocks = planes.reshape(channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return np.ascontiguousarray(blocks.transpose(0, 2, 4, 1, 3)).reshape(channels, BLOCK * BLOCK, -1)


def zigzag() -> list[tuple[int, int]]:
    """Return the places of a block in the order of JPEG (ITU-T T.81): by diagonals, turning at each."""
    places = [(row, column) for row in range(BLOCK) for column in range(BLOCK)]
    return sorted(places, key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1]))


def cosine_basis() -> Floats32:
    """Return the basis images of the orthonormal DCT-II in zig-zag order, the constant first: float32 (64, 64)."""
    axis = scipy.fft.dct(np.eye(BLOCK), axis=0, norm="ortho")
    return np.array([np.outer(axis[v], axis[u]).ravel() for v, u in zigzag()], dtype=np.float32)
