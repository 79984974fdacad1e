"""The logarithm of a photograph's whole cosine transform, for a strongly regularised linear model."""

from __future__ import annotations

import numpy as np
import scipy.fft

from members.forensics.photograph import CHANNELS, Floats, Photograph
from members.forensics.transformer import PhotographTransformer

REFERENCE_SIDE = 256
FLOOR = 1e-2  # grey levels; keeps a flat plane's logarithm in the range of a photograph's


class LogDCT(PhotographTransformer):
    """Mean of log|DCT-II| over square cells of frequencies, for Y, Cb and Cr (Frank et al., 2020).

    The cells cut each axis of frequencies into `256 / cell` equal parts, whatever the photograph's size, so
    that a column means the same at every size.

    Parameters
    ----------
    cell : int
        Side of a cell in coefficients of a 256-pixel photograph, a power of two up to 256.
    """

    def __init__(self, cell: int = 4) -> None:
        self.cell = cell

    def _columns(self) -> list[str]:
        cells = range(self._cells())
        return [f"logdct/{channel}/{v:03d}_{u:03d}" for channel in CHANNELS for v in cells for u in cells]

    def _row(self, photograph: Photograph) -> Floats:
        # Orthonormal, so that a coefficient of noise is as large in a small photograph as in a large one.
        spectrum = scipy.fft.dctn(photograph.ycc, axes=(1, 2), norm="ortho")
        logs = np.log(np.abs(spectrum) + FLOOR)
        return _cell_means(_cell_means(logs, self._cells(), axis=1), self._cells(), axis=2).ravel()

    def _cells(self) -> int:
        if self.cell < 1 or REFERENCE_SIDE % self.cell:
            raise ValueError(f"cell must be a power of two from 1 to {REFERENCE_SIDE}, not {self.cell!r}")
        return REFERENCE_SIDE // self.cell


def _cell_means(values: Floats, cells: int, axis: int) -> Floats:
    """Average `values` in `cells` equal parts of an axis; where they outnumber the values, values repeat."""
    starts = np.arange(cells) * values.shape[axis] // cells
    widths = np.maximum(np.diff(starts, append=values.shape[axis]), 1)
    sums = np.add.reduceat(values, starts, axis=axis)
    means: Floats = sums / np.expand_dims(widths.astype(values.dtype), tuple({0, 1, 2} - {axis}))
    return means
