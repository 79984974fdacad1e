"""Feature tables on a pipeline: each is computed once for all readers, and passed on when it is complete."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ensemble.config.settings import Recipe
from ensemble.core.arrays import Pixels
from ensemble.core.console.durations import format_duration
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.engine.base import Engine
from ensemble.engine.features.cache import chunk_rows
from ensemble.engine.features.table import FeatureTable, Photographs
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.tasks.base import PHOTOGRAPHS, Outcome
from ensemble.engine.tasks.failures import Cancelled, Failure, failure
from ensemble.engine.tasks.features import TableRequest

Read = Callable[[FeatureTable | Failure], None]


class FeatureTables:
    """The feature tables of one pipeline.

    Parameters
    ----------
    cache : path
        Where chunks of all experiments are cached.
    log_progress : bool
        Whether lines say how far each table is.
    """

    def __init__(self, pipeline: Pipeline, cache: Location, log_progress: bool = True) -> None:
        self.pipeline, self.cache, self.log_progress = pipeline, cache, log_progress
        self._tables: dict[str, FeatureTable] = {}  # by the group of their tasks
        self._reads: dict[str, list[Read]] = {}  # the same, of those that are not complete
        self._lines: dict[str, _ProgressLine] = {}
        self._warned: set[str] = set()

    def request(self, request: TableRequest, photographs: Photographs, read: Read) -> None:
        """Compute a table unless that has begun; `read` is called with it once it is complete, or with the failure."""
        group = request.group(photographs.key)
        new = group not in self._tables
        if new:
            try:
                table = FeatureTable(request, photographs, self.cache)
            except (ValueError, UserError) as error:
                read(failure(error))
                return
            self._tables[group], self._reads[group] = table, []
            self._lines[group] = _ProgressLine(
                table,
                self.pipeline.board if self.log_progress else None,
                self.pipeline.engine.slots_of(request.resources),
            )
        table = self._tables[group]
        if table.complete and not new:
            read(table)
            return
        self._reads[group].append(read)
        self._lines[group].read_by(request)
        if new:
            self._lines[group].update()
            self.pipeline.submit(table.missing(), partial(self._receive, table))
            self._pass_on(table)

    def forget(self, request: TableRequest, photographs: Photographs) -> None:
        """Cancel a table, or drop it: nobody reads it any more."""
        group = request.group(photographs.key)
        self.pipeline.cancel(group)
        if table := self._tables.pop(group, None):
            self.pipeline.engine.unshare(table.name)
        self._reads.pop(group, None)
        self._lines.pop(group, None)
        self.pipeline.board.expect(group, 0.0)

    def remaining(self, request: TableRequest, photographs: Photographs) -> list[int]:
        """Return the sizes of the chunks that are not computed: all chunks of a table that was not requested."""
        table = self._tables.get(request.group(photographs.key))
        rows = chunk_rows(len(photographs)) if table is None else [task.rows for task in table.missing()]
        return [each.stop - each.start for each in rows]

    def _receive(self, table: FeatureTable, outcome: Outcome) -> None:
        if isinstance(outcome.value, Cancelled):
            return
        could_cache = table.uncached is None
        try:
            found = outcome.failure
            if found is None:
                self._log_warnings(table, outcome.value.warnings)
                table.add(outcome.task, outcome.value)  # type: ignore[arg-type]
        except (ValueError, UserError) as error:  # another number of columns; a full disk
            found = failure(error)
        if found is not None:
            reads = self._reads[table.group]
            self.forget(table.request, table.photographs)
            for read in reads:
                read(found)
            return
        if table.uncached is not None and could_cache:
            use = table.request.recipe.use
            self.pipeline.board.log(f"features {use} cannot be cached for other runs: {table.uncached}")
        self._lines[table.group].computed(outcome)
        self._pass_on(table)

    def _log_warnings(self, table: FeatureTable, warnings: tuple[str, ...]) -> None:
        """Log what a transformer warned of, once a run."""
        for text in warnings:
            line = f"features {table.request.recipe.use}: {text}"
            if line not in self._warned:
                self._warned.add(line)
                self.pipeline.board.log(line)

    def _pass_on(self, table: FeatureTable) -> None:
        if table.complete:
            self.pipeline.engine.share(table.name, table.values())
            for read in self._reads.pop(table.group):
                read(table)


class FeaturesFailed(Exception):
    """A transformer raised, or there was no time for it; the message is the cause."""


def compute_features(
    recipe: Recipe, pixels: Pixels, engine: Engine, cache: Location, board: ProgressBoard
) -> NDArray[np.float32]:
    """Return the features of photographs, float32 (photographs, columns), and wait for them.

    Raises
    ------
    FeaturesFailed
        The transformer raised, or the engine's time was up.
    """
    engine.share(PHOTOGRAPHS, pixels)
    pipeline, found = Pipeline(engine, board), list[FeatureTable | Failure]()
    request = TableRequest(recipe)
    FeatureTables(pipeline, cache).request(request, Photographs(pixels), found.append)
    pipeline.run()
    if not found:
        raise FeaturesFailed("the time of this run was up")
    if isinstance(found[0], Failure):
        raise FeaturesFailed(found[0].cause)
    return np.asarray(found[0].values())


_EVERY_SECONDS = 10.0


class _ProgressLine:
    """Log of how far a feature table is, not too often; the board gets how much of it is left."""

    def __init__(self, table: FeatureTable, board: ProgressBoard | None, slots: float) -> None:
        self.table, self.board, self.slots = table, board, slots  # the slots that a chunk takes up
        self.readers: list[str] = []
        self.last = self.started = time.time()
        self.cached = table.done

    def read_by(self, request: TableRequest) -> None:
        """Name the table by the members that read it, or by its recipe where none does."""
        if request.reader and request.reader not in self.readers:
            self.readers.append(request.reader)

    def computed(self, outcome: Outcome) -> None:
        """Note a chunk. The clock starts with the first one, not when it was queued."""
        if self.table.done - self.cached == _rows(outcome.task.rows):  # type: ignore[attr-defined]
            self.started = outcome.started
        self.update()

    def update(self) -> None:
        if self.board is None:
            return
        done, total, now = self.table.done, len(self.table.photographs), time.time()
        computed = done - self.cached
        seconds = (now - self.started) / computed * (total - done) if computed else 0.0
        work = self.table.seconds_per_photograph * (total - done) * self.slots if done else None
        self.board.expect(self.table.group, work)
        if done < total and now - self.last < _EVERY_SECONDS:
            return
        self.last = now
        left = f", about {format_duration(seconds)} left" if computed and done < total else ""
        name = f"of {', '.join(self.readers)}" if self.readers else self.table.request.recipe.use
        self.board.log(f"features {name}: {done} of {total} photographs{left}{self.board.of_the_run()}")


def _rows(rows: slice) -> int:
    return int(rows.stop - rows.start)
