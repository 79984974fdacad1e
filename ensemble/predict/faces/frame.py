"""Pictures for the networks: shrunk, and cut into squares that may be turned or lie partly outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble.core.arrays import Array
from ensemble.predict.faces.similarity import Similarity

_FINEST = 16  # pixels that a pixel of a turned square is averaged from, on either axis


def shrunk(picture: Image.Image, longer_side: int) -> Image.Image:
    """Return a picture of at most this many pixels on its longer side."""
    longer = max(picture.size)
    if longer <= longer_side:
        return picture
    width, height = (max(round(side * longer_side / longer), 1) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


class Frame:
    """A picture in a black frame, half as wide as the longer side, from which squares are cut."""

    def __init__(self, picture: Image.Image) -> None:
        self._margin = max(picture.size) // 2
        width, height = (side + 2 * self._margin for side in picture.size)
        self._framed = Image.new("RGB", (width, height))
        self._framed.paste(picture, (self._margin, self._margin))

    def squares(self, boxes: Array, side: int) -> NDArray[np.uint8]:
        """Cut boxes (n, at least 4) out: (n, side, side, 3), antialiased. What is outside of the frame is left out."""
        squares = np.zeros((len(boxes), side, side, 3), np.uint8)
        for square, box in zip(squares, boxes, strict=True):
            left, top, right, bottom = np.clip(box[:4] + self._margin, 0, np.tile(self._framed.size, 2))
            if min(right - left, bottom - top) > 1:
                places = (left, top, right, bottom)
                square[:] = np.asarray(self._framed.resize((side, side), Image.Resampling.BILINEAR, places))
        return squares

    def turned(self, unit: Similarity, side: int) -> NDArray[np.uint8]:
        """Cut the image of the unit square under a similarity out: (side, side, 3), averaged from finer pixels."""
        finer = int(np.clip(round(unit.scale / side), 1, _FINEST))
        across = side * finer
        places = Similarity(unit.factor / across, unit.shift + complex(self._margin, self._margin)).coefficients()
        fine = self._framed.transform((across, across), Image.Transform.AFFINE, places, Image.Resampling.BILINEAR)
        return np.asarray(fine.reduce(finer))
