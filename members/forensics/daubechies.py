"""The discrete wavelet transform with Daubechies' four vanishing moments, for many planes at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from members.forensics.compiled import compiled_or, multiply_add

Planes = npt.NDArray[np.float32]

# Daubechies (1988), D8. The wavelet's filter is the scaling filter backwards with every other sign turned.
_LOW = np.array(
    [
        -0.010597401785069032,
        0.0328830116668852,
        0.030841381835560763,
        -0.18703481171909308,
        -0.027983769416859854,
        0.6308807679298589,
        0.7148465705529157,
        0.2303778133088965,
    ],
    dtype=np.float32,
)
_HIGH = (_LOW[::-1] * (-1) ** np.arange(1, 9)).astype(np.float32)


def transform(planes: Planes) -> tuple[Planes, tuple[Planes, Planes, Planes]]:
    """Return the smooth part and the horizontal, vertical and diagonal details of one scale; borders wrap around.

    Parameters
    ----------
    planes : float32 array (n, height, width)
        Height and width are even.

    Returns
    -------
    smooth, (horizontal, vertical, diagonal)
        Each float32 (n, height / 2, width / 2). Horizontal details change from row to row.
    """
    low, high = _along_columns(np.ascontiguousarray(planes), _LOW, _HIGH)
    smooth, vertical = _along_columns(_turned(low), _LOW, _HIGH)
    horizontal, diagonal = _along_columns(_turned(high), _LOW, _HIGH)
    return _turned(smooth), (_turned(horizontal), _turned(vertical), _turned(diagonal))


def _turned(planes: Planes) -> Planes:
    """Transpose the planes, so that every pass runs along memory."""
    return np.ascontiguousarray(planes.transpose(0, 2, 1))


def _along_columns_plain(planes: Planes, low: Planes, high: Planes) -> tuple[Planes, Planes]:
    count, height, width = planes.shape
    smooth, detail = np.zeros((2, count, height // 2, width), dtype=np.float32)
    for plane in range(count):
        for tap in range(8):
            rows = planes[plane, (2 * np.arange(height // 2) + 4 - tap) % height]
            multiply_add(low[tap], rows, smooth[plane])
            multiply_add(high[tap], rows, detail[plane])
    return smooth, detail


@compiled_or(_along_columns_plain)
def _along_columns(planes: Planes, low: Planes, high: Planes) -> tuple[Planes, Planes]:
    """Filter down the columns and keep every other row."""
    count, height, width = planes.shape
    smooth = np.zeros((count, height // 2, width), dtype=np.float32)
    detail = np.zeros((count, height // 2, width), dtype=np.float32)
    for plane in range(count):
        for row in range(height // 2):
            for tap in range(8):
                source = (2 * row + 4 - tap) % height
                for column in range(width):
                    value = planes[plane, source, column]
                    smooth[plane, row, column] += low[tap] * value
                    detail[plane, row, column] += high[tap] * value
    return smooth, detail
