"""Y, Cb and Cr of a photograph: full-range BT.601, as JPEG has it (ITU-T T.871).

Cb and Cr have no offsets and are around zero: the mean of a chroma plane is colour, and only the smoothest wavelet
packet and the first cell of `LogDCT` depend on it. Sums are of whole millionths of a grey level, so that all machines
round the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from members.forensics.compiled import compiled_or

_MILLIONTHS = np.array(
    [[299000, 587000, 114000], [-168736, -331264, 500000], [500000, -418688, -81312]], dtype=np.float64
)


def _sums_plain(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return Y, Cb and Cr in millionths of a grey level, whole numbers that double precision holds."""
    sums: npt.NDArray[np.float64] = _MILLIONTHS @ rgb.reshape(3, -1).astype(np.float64)
    return sums.reshape(rgb.shape)


def _planes_plain(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return _sums_plain(rgb).astype(np.float32) * np.float32(1e-6)


def _levels_plain(rgb: npt.NDArray[np.uint8], fineness: int) -> npt.NDArray[np.int16]:
    return np.floor((fineness * _sums_plain(rgb) + 500000.5) * 1e-6).astype(np.int16)


@compiled_or(_planes_plain)
def luminance_and_chroma(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return float32 (3, height, width) in grey levels for uint8 (3, height, width)."""
    planes = np.empty(rgb.shape, dtype=np.float32)
    for row in range(rgb.shape[1]):
        for column in range(rgb.shape[2]):
            r, g, b = np.int32(rgb[0, row, column]), np.int32(rgb[1, row, column]), np.int32(rgb[2, row, column])
            planes[0, row, column] = np.float32(299000 * r + 587000 * g + 114000 * b) * np.float32(1e-6)
            planes[1, row, column] = np.float32(-168736 * r - 331264 * g + 500000 * b) * np.float32(1e-6)
            planes[2, row, column] = np.float32(500000 * r - 418688 * g - 81312 * b) * np.float32(1e-6)
    return planes


@compiled_or(_levels_plain)
def luminance_and_chroma_levels(rgb: npt.NDArray[np.uint8], fineness: int) -> npt.NDArray[np.int16]:
    """Return int16 (3, height, width), rounded to parts of a grey level, halves up; `fineness` parts make a level."""
    planes = np.empty(rgb.shape, dtype=np.int16)
    for row in range(rgb.shape[1]):
        for column in range(rgb.shape[2]):
            r, g, b = np.int32(rgb[0, row, column]), np.int32(rgb[1, row, column]), np.int32(rgb[2, row, column])
            # A millionth is far more than double precision errs, so the half added decides exactly.
            planes[0, row, column] = np.floor((fineness * (299000 * r + 587000 * g + 114000 * b) + 500000.5) * 1e-6)
            planes[1, row, column] = np.floor((fineness * (-168736 * r - 331264 * g + 500000 * b) + 500000.5) * 1e-6)
            planes[2, row, column] = np.floor((fineness * (500000 * r - 418688 * g - 81312 * b) + 500000.5) * 1e-6)
    return planes
