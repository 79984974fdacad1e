"""One photograph for the feature families: its colour planes, each computed at most once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from members.checks import check_photographs
from members.forensics.blocks import BLOCK, block_columns, cosine_basis
from members.forensics.colours import luminance_and_chroma, luminance_and_chroma_levels

Floats = npt.NDArray[np.floating]
Pixels = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.signedinteger]

CHANNELS = ("Y", "Cb", "Cr")
FINENESS = 4  # steps of `ycc_fine` to a grey level; the 3 x 3 residuals still fit int16
SMALLEST = 32  # pixels a side: below it the rings and windows of the families would run empty

_COSINES = cosine_basis()


def checked_photographs(X: Pixels) -> Pixels:
    """Return `X` if it holds photographs.

    Parameters
    ----------
    X : uint8 array (n, height, width, 3)
        RGB.

    Raises
    ------
    ValueError
        If the type or the shape is another, or there are no pixels.
    """
    X = np.asarray(X)
    check_photographs(X)
    return X


class Photograph:
    """The colour planes of one RGB photograph, cropped to whole 8 x 8 blocks from its top left corner.

    It is cropped and never resized: interpolation is a low-pass filter and removes the traces that are
    measured. One photograph at a time stays in the processor's cache and cannot depend on the rest of a batch.
    A side under 32 pixels is mirrored outward until it has them; the family `flags` marks it.

    Parameters
    ----------
    pixels : uint8 array (height, width, 3)
        RGB; may be read-only.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.size = pixels.shape[:2]
        if min(self.size) < SMALLEST:
            missing = [(0, max(0, SMALLEST - side)) for side in self.size]
            pixels = np.pad(pixels, [*missing, (0, 0)], mode="symmetric")
        height, width = (side - side % BLOCK for side in pixels.shape[:2])
        self.rgb = np.ascontiguousarray(pixels[:height, :width].transpose(2, 0, 1))

    @cached_property
    def ycc(self) -> npt.NDArray[np.float32]:
        """Y, Cb, Cr as float32 (3, height, width), in grey levels, not rounded; Cb and Cr are around zero."""
        return luminance_and_chroma(self.rgb)

    @cached_property
    def ycc_fine(self) -> Levels:
        """Y, Cb, Cr as int16 (3, height, width), in quarters of a grey level.

        Whole numbers are faster to filter and to compare. Whole grey levels would be too coarse: their rounding
        hides part of the noise.
        """
        return luminance_and_chroma_levels(self.rgb, FINENESS)

    @cached_property
    def rgb_levels(self) -> Levels:
        """R, G, B as int16 (3, height, width), so that differences do not wrap around."""
        return self.rgb.astype(np.int16)

    @cached_property
    def block_dct(self) -> npt.NDArray[np.float32]:
        """Orthonormal DCT-II of each 8 x 8 block of Y, Cb, Cr: float32 (3, 63, blocks), AC in zig-zag order."""
        return _COSINES[1:] @ block_columns(self.ycc)


def table_of(X: Pixels, columns: int, row: Callable[[Photograph], Floats]) -> npt.NDArray[np.float32]:
    """Return the rows of photographs, float32 (n, columns), C-contiguous, each computed from its photograph alone.

    Raises
    ------
    ValueError
        If `X` is not uint8 (n, height, width, 3), or there are no pixels.
    """
    X = checked_photographs(X)
    table = np.empty((len(X), columns), dtype=np.float32)
    for values, pixels in zip(table, X, strict=True):
        values[:] = row(Photograph(pixels))
    return table
