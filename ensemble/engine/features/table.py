"""The features of all photographs by one recipe: cached chunks, chunks that are to be computed, at last the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Pixels
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.engine.features.cache import Chunk, chunk_rows, content_key, read_chunk, write_chunk
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
        self._folders = [cache / request.key[:16] / name for name in photographs.content]
        self._chunks = {index: chunk for index, folder in enumerate(self._folders) if (chunk := read_chunk(folder))}
        self.uncached: Exception | None = None  # why the last chunk could not be cached

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
        chunks = enumerate(chunk_rows(len(self.photographs)))
        return [
            FeatureTask(self.request, rows, index, self.photographs.key)
            for index, rows in chunks
            if index not in self._chunks
        ]

    def add(self, task: FeatureTask, features: Features) -> None:
        """Add a chunk that was computed, and cache it."""
        chunk = Chunk(features.values, features.seconds / len(features.values))
        self._chunks[task.index] = chunk
        try:
            write_chunk(self._folders[task.index], chunk)
        except (OSError, UserError) as error:  # a full disk, say: what was computed is as good without the cache
            self.uncached = error

    @property
    def done(self) -> int:
        """Photographs whose features are computed."""
        return sum(len(chunk.values) for chunk in self._chunks.values())

    @property
    def complete(self) -> bool:
        """Whether all chunks are computed."""
        return len(self._chunks) == len(self._folders)

    def values(self) -> NDArray[np.float32]:
        """Return the features, float32 (photographs, columns), in the order of the photographs."""
        return np.concatenate([self._chunks[index].values for index in range(len(self._folders))])

    @property
    def seconds_per_photograph(self) -> float:
        """Cost of the features, with one thread if nothing else was requested."""
        chunks: Sequence[Chunk] = list(self._chunks.values())
        costs, sizes = [chunk.seconds_per_photograph for chunk in chunks], [len(chunk.values) for chunk in chunks]
        return float(np.average(costs, weights=sizes))
