"""Arrays for the nodes of a cluster: blocks travel through the object store, and each node makes a file of them."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import ray
from filelock import FileLock
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ensemble.core.parallel import blocks
from ensemble.core.storage.array_file import ArrayFile
from ensemble.core.storage.scratch import PREFIX, SUFFIX


@dataclass(frozen=True)
class BlocksOfArray:
    """An array in the object store, of which neither the driver nor a worker ever has more than a block in memory."""

    shape: tuple[int, ...]
    dtype: str
    references: Sequence[Any]
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def put(cls, array: ArrayFile) -> BlocksOfArray:
        """Put an array into the object store."""
        return cls(array.shape, array.dtype.str, [ray.put(array[rows]) for rows in blocks(len(array))])

    def read(self) -> ArrayFile:
        """Return the array in this node's file, which the first task here writes that reads it.

        Raises
        ------
        UserError
            The node's disk has no room for it.
        """
        if self.name in _in_use:
            return _in_use[self.name]
        path, kind = _file(self.name), np.dtype(self.dtype)
        with FileLock(path.with_suffix(".lock")):
            while (found := ArrayFile.of_another_process(path, self.shape, kind)) is None:
                written = ArrayFile.create(self.shape, kind)
                start = 0
                for reference in self.references:
                    block = ray.get(reference)
                    written.write(start, block)
                    start += len(block)
                written.hand_over(path)
        while len(_in_use) >= _MOST_IN_USE:
            _in_use.pop(next(iter(_in_use)))
        _in_use[self.name] = found
        return found


_MOST_IN_USE = 2  # photographs and a table, say: a task that comes back to them need not write them again
_in_use: dict[str, ArrayFile] = {}  # by name, in this worker


def remove_files(names: Sequence[str], nodes: Iterable[str], wait: float) -> None:
    """Remove the files of arrays from nodes, those that answer soon; others go when a later run needs the disk."""
    there = [NodeAffinitySchedulingStrategy(node, soft=True) for node in nodes]
    removals = [_REMOVE.options(scheduling_strategy=node).remote(names) for node in there]
    if removals and wait:
        ray.wait(removals, num_returns=len(removals), timeout=wait)


def _remove(names: Sequence[str]) -> None:
    for name in names:
        for suffix in (SUFFIX, ".lock"):
            with suppress(OSError):
                _file(name).with_suffix(suffix).unlink()


def _file(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{PREFIX}{name}{SUFFIX}"


_REMOVE: Any = ray.remote(num_cpus=0)(_remove)
