"""One photograph as every feature family wants it: its colour planes, each computed once if asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from members.checks import check_photographs

Floats = npt.NDArray[np.floating]
Pixels = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.signedinteger]

CHANNELS = ("Y", "Cb", "Cr")
BLOCK = 8  # the side of a JPEG block, in pixels
FINENESS = 4  # steps of `ycc_fine` to a grey level; the 3 x 3 residuals still fit int16
SMALLEST = 32  # pixels a side: below it the rings and windows of the families run empty

# Full-range BT.601, as JPEG has it (ITU-T T.871), without offsets: no family looks at a chroma plane's mean.
_FROM_RGB = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32
)


def checked_photographs(X: Pixels) -> Pixels:
    """Return `X` if it holds photographs.

    Parameters
    ----------
    X : uint8 array (n, height, width, 3)
        RGB.

    Raises
    ------
    ValueError
        If the type or the shape is another, or a side is shorter than 32 pixels.
    """
    X = np.asarray(X)
    check_photographs(X)
    if min(X.shape[1:3]) < SMALLEST:
        raise ValueError(f"photographs must be at least {SMALLEST} pixels a side, not {X.shape[1:3]}")
    return X


class Photograph:
    """The colour planes of one RGB photograph, cropped to whole 8 x 8 blocks from its top left corner.

    It is cropped and never resized: interpolation is a low-pass filter and wipes out the traces that are
    sought. One photograph at a time stays in the processor's cache and cannot depend on the rest of a batch.

    Parameters
    ----------
    pixels : uint8 array (height, width, 3)
        RGB; may be read-only.
    """

    def __init__(self, pixels: Pixels) -> None:
        height, width = (side - side % BLOCK for side in pixels.shape[:2])
        self.rgb = np.ascontiguousarray(pixels[:height, :width].transpose(2, 0, 1))

    @cached_property
    def ycc(self) -> npt.NDArray[np.float32]:
        """Y, Cb, Cr as float32 (3, height, width), in grey levels, not rounded; Cb and Cr are around zero."""
        planes = _FROM_RGB @ self.rgb.reshape(3, -1).astype(np.float32)
        return planes.reshape(self.rgb.shape)

    @cached_property
    def ycc_fine(self) -> Levels:
        """Y, Cb, Cr as int16 (3, height, width), in quarters of a grey level.

        Whole numbers are faster to filter and to compare. Whole grey levels would be too coarse: their rounding
        hides part of the noise that is looked for.
        """
        return np.rint(FINENESS * self.ycc).astype(np.int16)

    @cached_property
    def rgb_levels(self) -> Levels:
        """R, G, B as int16 (3, height, width), so that differences do not wrap around."""
        return self.rgb.astype(np.int16)
