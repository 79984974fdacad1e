"""Stateless features of all photographs: computed once, in chunks, and cached on disk by the content of each chunk."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.config import Recipe, Resources
from ensemble.core.console.durations import format_duration
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_folder
from ensemble.core.storage.hashing import digest
from ensemble.engine.agenda import Agenda, work_off
from ensemble.engine.base import Engine
from ensemble.engine.recipes.code import recipe_code
from ensemble.engine.tasks.base import PHOTOGRAPHS, Features, FeatureTask
from ensemble.engine.tasks.failures import Failure

CHUNK = 128  # photographs: 25 MB at 256 px, seconds of work for formulas, a minute for a fixed network
_VALUES = "features.npy"
_FACTS = "features.json"


@dataclass(frozen=True)
class Chunk:
    """Features float32 (photographs, columns) of a chunk, and what they cost (seconds per photograph)."""

    values: NDArray[np.float32]
    seconds_per_photograph: float


class FeatureWork:
    """The features of all photographs by one recipe: what is cached, what is still to be computed, the table at last.

    Parameters
    ----------
    key : str
        `features_key(recipe)`, taken once for a run.
    photographs : uint8 (photographs, height, width, 3)
    content : list of str
        `content_keys(photographs)`, taken once for all recipes.
    cache : path
        Chunks that any experiment has computed are read from there.
    report : callable
        Takes (photographs done, photographs in all), now and after each chunk.
    shared_as : str
        The key under which the engine shares the photographs.
    """

    def __init__(
        self,
        recipe: Recipe,
        key: str,
        photographs: NDArray[np.uint8],
        content: list[str],
        cache: Location,
        resources: Resources,
        report: Callable[[int, int], None],
        shared_as: str = PHOTOGRAPHS,
    ) -> None:
        self.recipe, self.key, self.photographs = recipe, key, len(photographs)
        self._folders = [cache / key[:16] / name for name in content]
        self._found = {index: table for index, folder in enumerate(self._folders) if (table := _read(folder))}
        chunks = enumerate(_chunks(self.photographs))
        self.missing = [
            FeatureTask(recipe, key, i, rows, resources, shared_as) for i, rows in chunks if i not in self._found
        ]
        self.uncached: Exception | None = None  # why the last chunk could not be cached
        self._report = report
        report(self.done, self.photographs)

    @property
    def done(self) -> int:
        """Photographs whose features are there."""
        return sum(len(table.values) for table in self._found.values())

    @property
    def to_come(self) -> list[int]:
        """Photographs in each chunk that is not there."""
        sizes = chunk_sizes(self.photographs)
        return [size for index, size in enumerate(sizes) if index not in self._found]

    @property
    def complete(self) -> bool:
        """Whether all of them are."""
        return len(self._found) == len(self._folders)

    def accept(self, task: FeatureTask, features: Features) -> None:
        """Take a chunk that was computed, and cache it."""
        table = Chunk(features.values, features.seconds / len(features.values))
        self._found[task.index] = table
        try:
            _write(self._folders[task.index], table)
        except (OSError, UserError) as error:  # a full disk, say: what was computed is as good without the cache
            self.uncached = error
        self._report(self.done, self.photographs)

    def values(self) -> NDArray[np.float32]:
        """The features, float32 (photographs, columns), in the order of the photographs."""
        return np.concatenate([self._found[index].values for index in range(len(self._folders))])

    @property
    def seconds_per_photograph(self) -> float:
        """What they cost, with one thread if nothing else was asked for."""
        tables = self._found.values()
        costs, sizes = [table.seconds_per_photograph for table in tables], [len(table.values) for table in tables]
        return float(np.average(costs, weights=sizes))


def feature_table(
    recipe: Recipe,
    photographs: NDArray[np.uint8],
    engine: Engine,
    cache: Location,
    board: ProgressBoard,
    report: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """Features of all photographs, waited for. `report` takes (photographs done, photographs in all).

    Raises
    ------
    FeaturesFailed
        The transformer raised; the message is the cause.
    """
    content = content_keys(photographs)
    work = FeatureWork(recipe, features_key(recipe), photographs, content, cache, Resources(), report)
    engine.share(PHOTOGRAPHS, photographs)
    agenda = Agenda(lambda _: 0.0)
    agenda.add(work.missing)
    for finished in work_off(agenda, engine, board):
        if isinstance(finished.value, Failure):
            engine.cancel(finished.task.group)
            raise FeaturesFailed(finished.value.cause)
        work.accept(finished.task, finished.value)  # type: ignore[arg-type]
    if not work.complete:
        raise FeaturesFailed("the time of this run was up")
    return work.values()


class FeaturesFailed(Exception):
    """A transformer raised."""


def content_keys(photographs: NDArray[np.uint8]) -> list[str]:
    """Identify each chunk of the photographs by what is in it."""
    return [_content_key(photographs[rows]) for rows in _chunks(len(photographs))]


def chunk_sizes(photographs: int) -> list[int]:
    """How many photographs are in each chunk."""
    return [rows.stop - rows.start for rows in _chunks(photographs)]


def _chunks(photographs: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, photographs)) for start in range(0, photographs, CHUNK)]


def features_key(features: Recipe) -> str:
    """Identify a feature table: recipe and code. Equal keys mean equal columns for equal photographs."""
    recipe = features.model_dump(mode="json")
    return digest([recipe, recipe_code(recipe)])


def _content_key(photographs: NDArray[np.uint8]) -> str:
    header = json.dumps(photographs.shape).encode()
    return hashlib.sha256(header + np.ascontiguousarray(photographs).tobytes()).hexdigest()[:32]


def _read(folder: Location) -> Chunk | None:
    """A cached chunk, if it is there and is what was written."""
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        with (folder / _VALUES).open("rb") as file:
            values = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if not isinstance(facts, dict) or "seconds_per_photograph" not in facts:
        return None
    if hashlib.sha256(values.tobytes()).hexdigest() != facts.get("sha256"):
        return None
    return Chunk(values, facts["seconds_per_photograph"])


def _write(folder: Location, table: Chunk) -> None:
    facts = {
        "sha256": hashlib.sha256(table.values.tobytes()).hexdigest(),
        "seconds_per_photograph": table.seconds_per_photograph,
    }
    try:
        with new_folder(folder, _FACTS) as unfinished:
            np.save(unfinished / _VALUES, table.values, allow_pickle=False)
            (unfinished / _FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    except OSError:
        if _read(folder) is None:  # else another run was faster, and its chunk is as good
            raise


class FeatureLine:
    """Says how far a feature table is, not too often."""

    def __init__(self, what: str, board: ProgressBoard, every: float = 10.0) -> None:
        self.what, self.board, self.every = what, board, every
        self.begun = self.last = time.monotonic()
        self.first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Photographs that are done, of how many."""
        now = time.monotonic()
        self.first = done if self.first is None else self.first
        if done < total and now - self.last < self.every:
            return
        self.last = now
        fresh = done - self.first
        left = (
            f", about {format_duration((now - self.begun) / fresh * (total - done))} left"
            if fresh and done < total
            else ""
        )
        self.board.log(f"features {self.what}: {done} of {total} photographs{left}")
