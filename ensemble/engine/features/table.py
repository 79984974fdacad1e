"""The features of all photographs by one recipe: cached chunks, chunks that are to be computed, at last the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ensemble.core.arrays import Pixels
from ensemble.core.errors import UserError
from ensemble.core.storage.array_file import ArrayFile
from ensemble.core.storage.files import Location
from ensemble.engine.features.cache import Chunk, chunk_rows, content_key, read_chunk, write_chunk
from ensemble.engine.recipes.code import libraries_key
from ensemble.engine.tasks.base import PHOTOGRAPHS
from ensemble.engine.tasks.features import Features, FeatureTask, TableRequest


@dataclass(frozen=True)
class Photographs:
    """Photographs uint8 (photographs, height, width, 3), and the key under which the engine shares them."""

    pixels: Pixels
    key: str = PHOTOGRAPHS

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def content(self) -> list[str]:
        """What each chunk holds, as a hash: taken once for all recipes."""
        return [content_key(self.pixels[rows]) for rows in chunk_rows(len(self.pixels))]


class FeatureTable:
    """The features of photographs by one recipe.

    Parameters
    ----------
    cache : path
        Chunks that any experiment has computed are read from there.
    """

    def __init__(self, request: TableRequest, photographs: Photographs, cache: Location) -> None:
        self.request, self.photographs = request, photographs
        self.uncached: Exception | None = None  # why the last chunk could not be cached
        table = f"{request.key[:16]}-{libraries_key(request.recipe)[:8]}"
        self._folders = [cache / table / name for name in photographs.content]
        self._rows = chunk_rows(len(photographs))
        self._seconds: dict[int, float] = {}  # per photograph, by the number of a chunk that is there
        self._values: ArrayFile | None = None
        for index, folder in enumerate(self._folders):
            if chunk := read_chunk(folder):
                self._put(index, chunk)

    @property
    def group(self) -> str:
        """Group of its tasks, which also names the table."""
        return self.request.group(self.photographs.key)

    @property
    def name(self) -> str:
        """Key under which an engine shares the table."""
        of_others = "" if self.photographs.key == PHOTOGRAPHS else f"/{self.photographs.key}"
        return f"{self.request.key}{of_others}"

    def missing(self) -> list[FeatureTask]:
        """Return the tasks of the chunks that are neither cached nor computed."""
        return [
            FeatureTask(self.request, rows, index, self.photographs.key)
            for index, rows in enumerate(self._rows)
            if index not in self._seconds
        ]

    def add(self, task: FeatureTask, features: Features) -> None:
        """Add a chunk that was computed, and cache it."""
        chunk = Chunk(features.values, features.seconds / len(features.values))
        self._put(task.index, chunk)
        try:
            write_chunk(self._folders[task.index], chunk)
        except (OSError, UserError) as error:  # a full disk, say: what was computed is as good without the cache
            self.uncached = error

    @property
    def done(self) -> int:
        """Photographs whose features are computed."""
        return sum(rows.stop - rows.start for index, rows in enumerate(self._rows) if index in self._seconds)

    @property
    def complete(self) -> bool:
        """Whether all chunks are computed."""
        return len(self._seconds) == len(self._folders)

    def values(self) -> ArrayFile:
        """Return the features, float32 (photographs, columns), in the order of the photographs."""
        assert self._values is not None, "the table is not complete"  # noqa: S101
        return self._values

    def _put(self, index: int, chunk: Chunk) -> None:
        if self._values is None:
            self._values = ArrayFile.create((len(self.photographs), chunk.values.shape[1]), np.float32)
        if chunk.values.shape[1:] != self._values.shape[1:]:
            raise ValueError(f"{self.request.recipe.use} gives another number of columns for other photographs")
        self._values.write(self._rows[index].start, chunk.values)
        self._seconds[index] = chunk.seconds_per_photograph

    @property
    def seconds_per_photograph(self) -> float:
        """Cost of the features, with one thread if nothing else was requested."""
        sizes = [self._rows[index].stop - self._rows[index].start for index in self._seconds]
        return float(np.average(list(self._seconds.values()), weights=sizes))
