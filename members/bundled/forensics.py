"""Forensic columns, read back from a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from members.forensics.families.spectrum import curves
from members.forensics.family import forensic_table, known_families
from members.forensics.logdct import log_dct_table
from members.forensics.photograph import Photograph, Pixels

Table = npt.NDArray[np.float32]


class _Columns:
    """Columns of photographs, of which several are computed side by side."""

    def __init__(self, table: Callable[[Pixels], Table], threads: int) -> None:
        self._table, self._threads = table, threads

    def __call__(self, X: Pixels) -> Table:
        """Return columns float32 (n, columns) of uint8 (n, height, width, 3)."""
        parts = [X[rows] for rows in np.array_split(np.arange(len(X)), self._threads) if len(rows)]
        with ThreadPoolExecutor(self._threads) as pool:
            return np.concatenate(list(pool.map(self._table, parts)))


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
        names = tuple(settings["families"])
        if unknown := sorted(set(names) - set(known_families())):
            raise ModuleNotFoundError(name=f"members.forensics.families.{unknown[0]}")
        super().__init__(partial(forensic_table, names=names), threads)


class BundledLogDCT(_Columns):
    """The columns that `members.forensics.LogDCT` exported; `settings` has its `cell`."""

    def __init__(self, files: Mapping[str, bytes], settings: Mapping[str, Any], threads: int) -> None:  # noqa: ARG002
        super().__init__(partial(log_dct_table, cell=int(settings["cell"])), threads)


class BundledSpectra(_Columns):
    """The columns of `members.forensics.Spectra`: the curves of Y, Cb and Cr."""

    def __init__(self, files: Mapping[str, bytes], settings: Mapping[str, Any], threads: int) -> None:  # noqa: ARG002
        super().__init__(_curves, threads)


def _curves(X: Pixels) -> Table:
    return np.stack([curves(Photograph(photograph)) for photograph in X]).astype(np.float32)
