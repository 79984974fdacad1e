"""The logarithm of a photograph's whole cosine transform, for a strongly regularised linear model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from members.forensics.photograph import CHANNELS, Floats, Photograph, Pixels, table_of

REFERENCE_SIDE = 256
FLOOR = 1e-2  # grey levels; keeps a flat plane's logarithm in the range of a photograph's


def log_dct_columns(cell: int) -> list[str]:
    """Return the names of the columns; a wrong cell is a ValueError."""
    cells = range(_cells(cell))
    return [f"logdct/{channel}/{v:03d}_{u:03d}" for channel in CHANNELS for v in cells for u in cells]


def log_dct(photograph: Photograph, cell: int) -> Floats:
    """Return one photograph's values, shape (columns,); see `members.forensics.LogDCT`."""
    # Orthonormal, so that a coefficient of noise is as large in a small photograph as in a large one.
    spectrum = scipy.fft.dctn(photograph.ycc, axes=(1, 2), norm="ortho")
    logs = np.log(np.abs(spectrum) + FLOOR)
    return _cell_means(_cell_means(logs, _cells(cell), axis=1), _cells(cell), axis=2).ravel()


def log_dct_table(X: Pixels, cell: int) -> npt.NDArray[np.float32]:
    """Compute the columns of photographs uint8 (n, height, width, 3): float32 (n, columns)."""
    return table_of(X, len(log_dct_columns(cell)), lambda photograph: log_dct(photograph, cell))


def _cells(cell: int) -> int:
    if cell < 1 or REFERENCE_SIDE % cell:
        raise ValueError(f"cell must be a power of two from 1 to {REFERENCE_SIDE}, not {cell!r}")
    return REFERENCE_SIDE // cell


def _cell_means(values: Floats, cells: int, axis: int) -> Floats:
    """Average `values` in `cells` equal parts of an axis; where they outnumber the values, values repeat."""
    starts = np.arange(cells) * values.shape[axis] // cells
    widths = np.maximum(np.diff(starts, append=values.shape[axis]), 1)
    sums = np.add.reduceat(values, starts, axis=axis)
    means: Floats = sums / np.expand_dims(widths.astype(values.dtype), tuple({0, 1, 2} - {axis}))
    return means
