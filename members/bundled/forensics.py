"""Forensic columns, read back from a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from members.forensics.family import column_names, row_of
from members.forensics.logdct import log_dct, log_dct_columns
from members.forensics.photograph import Floats, Photograph, table_of

Table = npt.NDArray[np.float32]


class _Columns:
    """Columns of photographs, of which several are computed side by side."""

    def __init__(self, columns: int, row: Callable[[Photograph], Floats], threads: int) -> None:
        self._columns, self._row, self._threads = columns, row, threads

    def __call__(self, X: npt.NDArray[np.uint8]) -> Table:
        """Return columns float32 (n, columns) of uint8 (n, height, width, 3)."""
        parts = [X[rows] for rows in np.array_split(np.arange(len(X)), self._threads) if len(rows)]
        with ThreadPoolExecutor(self._threads) as pool:
            return np.concatenate(list(pool.map(self._some, parts)))

    def _some(self, photographs: npt.NDArray[np.uint8]) -> Table:
        return table_of(photographs, self._columns, self._row)


class BundledForensics(_Columns):
    """The columns of feature families: what `members.forensics.ForensicFeatures` exported.

    Parameters
    ----------
    settings : dict
        `families`, in the order of their columns.
    threads : int
        Photographs that are computed side by side.
    """

    def __init__(self, files: Mapping[str, bytes], settings: Mapping[str, Any], threads: int) -> None:  # noqa: ARG002
        families = tuple(settings["families"])
        super().__init__(len(column_names(families)), lambda photograph: row_of(photograph, families), threads)


class BundledLogDCT(_Columns):
    """The columns that `members.forensics.LogDCT` exported; `settings` has its `cell`."""

    def __init__(self, files: Mapping[str, bytes], settings: Mapping[str, Any], threads: int) -> None:  # noqa: ARG002
        cell = int(settings["cell"])
        super().__init__(len(log_dct_columns(cell)), lambda photograph: log_dct(photograph, cell), threads)
