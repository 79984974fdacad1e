"""An array in a file of this machine, whose rows are read when somebody asks for them."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.core.parallel import blocks
from ensemble.core.storage.scratch import create_scratch_file, lock_scratch_file, no_room


class ArrayFile:
    """An array of which no more is in memory than somebody has asked for.

    Rows are selected as of a NumPy array, by a number, a slice, numbers or a mask, and are copies; `np.asarray` reads
    it whole. It travels to other processes of this machine as the path of its file, which ends with its creator.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], rows: NDArray[np.intp]) -> None:
        self._path, self._row_shape, self.dtype, self._rows = path, shape[1:], dtype, rows

    @classmethod
    def create(cls, shape: tuple[int, ...], dtype: np.dtype[Any] | type) -> ArrayFile:
        """Create the file, in the folder for temporary files (`TMPDIR`); its rows are zero until they are written.

        Raises
        ------
        UserError
            The disk has no room for it.
        """
        kind = np.dtype(dtype)
        path, descriptor = create_scratch_file(kind.itemsize * math.prod(shape))
        created = cls(path, shape, kind, np.arange(shape[0]))
        created._end = weakref.finalize(created, _remove, path, descriptor)
        return created

    @classmethod
    def of_another_process(cls, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ArrayFile | None:
        """Return the array in a file that has been written; None if it has been removed."""
        descriptor = lock_scratch_file(path)
        if descriptor is None:
            return None
        found = cls(path, shape, dtype, np.arange(shape[0]))
        found._end = weakref.finalize(found, os.close, descriptor)
        return found

    _end: weakref.finalize[Any, ArrayFile] | None = None
    _source: ArrayFile | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (len(self._rows), *self._row_shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return 1 + len(self._row_shape)

    def __len__(self) -> int:
        return len(self._rows)

    def write(self, start: int, block: NDArray[Any]) -> None:
        """Write rows from `start` on; only the creator does, before it hands the array on."""
        content = np.ascontiguousarray(block, dtype=self.dtype)
        try:
            with self._path.open("r+b") as file:
                file.seek(start * self._row_bytes)
                file.write(content.data)
        except OSError as error:
            raise no_room(error, content.nbytes) from None

    def hand_over(self, path: Path) -> None:
        """Give the file another name; from now on it is in use as long as a process has it open."""
        os.replace(self._path, path)
        if self._end is not None and (found := self._end.detach()):
            os.close(found[2][1])

    def take(self, rows: NDArray[np.intp]) -> ArrayFile:
        """Return some rows, in this order, as an array of the same file."""
        taken = ArrayFile(self._path, self.shape, self.dtype, self._rows[rows])
        taken._source = self  # the file lives as long as what was taken from it
        return taken

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        picked = self._rows[rows]
        found = self._read(np.atleast_1d(picked))
        return found[0] if np.ndim(picked) == 0 else found

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for rows in blocks(len(self)):
            yield from self[rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an array in a file cannot be read without a copy")
        return self._read(self._rows).astype(dtype or self.dtype, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_end": None, "_source": None}

    @property
    def _row_bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self._row_shape)

    def _read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Read rows of the file, those that follow each other at once."""
        found = np.empty((len(rows), *self._row_shape), self.dtype)
        breaks = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        with self._path.open("rb", buffering=0) as file:
            for first, end in pairwise(breaks):
                if first < end:
                    file.seek(int(rows[first]) * self._row_bytes)
                    _read_whole(file, found[first:end])
        return found


def _remove(path: Path, descriptor: int) -> None:
    path.unlink(missing_ok=True)
    os.close(descriptor)


def _read_whole(file: Any, array: NDArray[Any]) -> None:
    view = memoryview(array.reshape(-1).view(np.uint8).data)
    while view:
        count = file.readinto(view)
        if not count:
            raise EOFError("the file of an array is shorter than it was written")
        view = view[count:]
