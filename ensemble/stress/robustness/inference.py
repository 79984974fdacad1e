"""Stored models applied to altered photographs: one alteration after the other, the next before workers are idle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ensemble.core.console.text import sentence
from ensemble.core.metrics.scores import to_logits
from ensemble.core.parallel import blocks, in_threads
from ensemble.core.storage.files import local_copy
from ensemble.engine.features.table import FeatureTable, Photographs
from ensemble.engine.features.tables import FeatureTables
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.tasks.base import Outcome
from ensemble.engine.tasks.failures import Failure
from ensemble.engine.tasks.features import TableRequest
from ensemble.engine.tasks.inference import InferenceTask, StoredModel
from ensemble.store.context import RunContext
from ensemble.store.repeats import store_of_cut
from ensemble.store.stored_members import StoredMember
from ensemble.stress.robustness.alterations import ALTERATIONS, Alteration
from ensemble.stress.robustness.answers import Answers, InferenceFailure

COLUMNS_ANSWER = "_columns"  # no member may be called so
_ROWS = 512  # photographs of one task: 100 MB at 256 px
_LOADING = 0.1  # seconds to load a model, roughly: only for the progress
_CHANGED = "it was trained again meanwhile; run again"


@dataclass
class Round:
    """One alteration: its photographs, the members whose answers are missing, and the feature tables to come."""

    alteration: str
    photographs: Photographs = field(repr=False)
    size: tuple[int, int] | None
    members: dict[str, StoredMember]
    tables: dict[str, tuple[TableRequest, float]] = field(default_factory=dict)  # by key, with seconds a photograph
    requests: list[TableRequest] = field(default_factory=list)
    logits: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    open_tasks: dict[str, int] = field(default_factory=dict)  # of a member
    seconds: dict[str, float] = field(default_factory=dict)  # that a member is likely to take
    total: float = 1.0


class Inference:
    """Inference of stored models about altered photographs; a member's answers are stored as soon as they are whole.

    Parameters
    ----------
    pixels : uint8 (photographs, height, width, 3)
        The sample, as it is.
    columns : TableRequest or None
        Columns that a blender reads beside the logits.
    on_progress : callable
        Takes the fraction that is done.
    """

    def __init__(
        self,
        context: RunContext,
        pixels: NDArray[np.uint8],
        answers: Answers,
        columns: TableRequest | None,
        on_progress: Callable[[float], None],
    ) -> None:
        self.context, self.pixels, self.answers, self.columns = context, pixels, answers, columns
        self.on_progress = on_progress
        self.failures: list[InferenceFailure] = []
        self.pipeline = Pipeline(context.engine, context.board, lambda task: self._urgency[task.source])
        self.tables = FeatureTables(self.pipeline, context.store.feature_cache, log_progress=False)
        self._urgency: dict[str, float] = {}  # by the key of the photographs: rounds in their order
        self._waiting: list[str] = []
        self._rounds: dict[str, Round] = {}
        self._models: dict[tuple[str, int, int], str] = {}
        self._folds: dict[int, NDArray[np.int64]] = {}  # of the sample, by cut
        self._copies = ExitStack()  # of models, for one run

    def run(
        self, missing: Mapping[str, Sequence[StoredMember]], columns_of: Sequence[str] = ()
    ) -> list[InferenceFailure]:
        """Apply members to each alteration, and return what failed while the rest went on.

        `columns_of` are alterations of whose photographs a blender's columns are to be stored too.
        """
        self._waiting = list(dict.fromkeys([*missing, *columns_of]))
        self._urgency = {f"altered/{name}": float(-place) for place, name in enumerate(self._waiting)}

        def refill() -> None:
            while self._waiting and len(self.pipeline.queue) < self.context.engine.slots():
                name = self._waiting.pop(0)
                self._begin(name, missing.get(name, ()), name in columns_of)

        with self._copies:
            self.pipeline.run(refill)
        return self.failures

    def _begin(self, name: str, members: Sequence[StoredMember], with_columns: bool) -> None:
        """Alter the photographs, and submit what can be done with them."""
        try:
            altered = alter_all(self.pixels, ALTERATIONS[name])
        except Exception as error:  # of a library: photographs may be larger than a format can hold
            why = Failure(f"photographs of this size cannot be altered so ({sentence(str(error))})", "")
            failed = Round(name, Photographs(self.pixels), None, {member.name: member for member in members})
            for member in members:
                self._fail(failed, member.name, why, None)
            return
        photographs = Photographs(altered, f"altered/{name}")
        shape = photographs.pixels.shape
        size = None if shape == self.pixels.shape else (shape[1], shape[2])
        current = Round(name, photographs, size, {member.name: member for member in members})
        self._rounds[name] = current
        self.context.engine.share(photographs.key, photographs.pixels)
        for member in members:
            predicting = member.n_cuts * len(photographs) * member.seconds_predict
            current.seconds[member.name] = predicting + _LOADING * len(member.checksums)
            if member.request is None:
                self._submit(current, member, photographs.key)
            else:
                current.tables.setdefault(member.request.key, (member.request, member.seconds_features))
        if with_columns and self.columns is not None:
            current.tables.setdefault(self.columns.key, (self.columns, 0.0))
        current.total = self._seconds_left(current) or 1.0
        current.requests = [request for request, _ in current.tables.values()]
        for request in current.requests:
            self.tables.request(request, photographs, partial(self._table_done, current, request))

    def _submit(self, current: Round, member: StoredMember, table: str) -> None:
        """Submit inference of each fold's model, about the rows that this fold held out, in every cut of the folds."""
        tasks: list[InferenceTask] = []
        for cut, fold in member.checksums:
            model = StoredModel(member.member, cut, fold, member.code, self._model_folder(member, cut, fold))
            rows = np.flatnonzero(self._folds_of(cut) == fold)
            chunks = [rows[part] for part in blocks(len(rows), _ROWS)]
            tasks += [
                InferenceTask(model, table, chunk, current.photographs.key, index) for index, chunk in enumerate(chunks)
            ]
        current.logits[member.name] = np.zeros(len(current.photographs))
        current.open_tasks[member.name] = len(tasks)
        self.pipeline.submit(tasks, partial(self._model_done, current, member))

    def _folds_of(self, cut: int) -> NDArray[np.int64]:
        """Return the folds of the sample in a cut."""
        if cut not in self._folds:
            self._folds[cut] = store_of_cut(self.context.store, cut).ledger().folds[self.answers.sample.rows]
        return self._folds[cut]

    def _model_folder(self, member: StoredMember, cut: int, fold: int) -> str:
        """Return where the files of a model lie on this machine: a copy serves for all alterations."""
        key = (member.name, cut, fold)
        if key not in self._models:
            folder = store_of_cut(self.context.store, cut).model_folder(member.name, fold)
            self._models[key] = str(self._copies.enter_context(local_copy(folder)))
        return self._models[key]

    def _table_done(self, current: Round, request: TableRequest, found: FeatureTable | Failure) -> None:
        """Submit the members that read a table; where it failed, they fail, and nobody else."""
        del current.tables[request.key]
        readers = [each for each in current.members.values() if each.request and each.request.key == request.key]
        of_columns = self.columns is not None and request.key == self.columns.key
        if isinstance(found, Failure):
            for name in [*(member.name for member in readers), *(["the blend's columns"] if of_columns else [])]:
                self._fail(current, name, found, current.size)
        else:
            if of_columns:
                self.answers.write(current.alteration, COLUMNS_ANSWER, request.key, np.asarray(found.values()))
            for member in readers:
                self._submit(current, member, found.name)
        self._close_if_done(current)

    def _model_done(self, current: Round, member: StoredMember, outcome: Outcome) -> None:
        """Take the answers of a model, and store the member's once they are whole."""
        name = member.name
        if outcome.failure:
            self.pipeline.cancel(outcome.task.group)
            self._fail(current, name, outcome.failure, current.size)
        else:
            rows = outcome.task.rows  # type: ignore[attr-defined]
            current.logits[name][rows] += to_logits(outcome.value) / member.n_cuts
            current.seconds[name] *= 1 - 1 / current.open_tasks[name]
            current.open_tasks[name] -= 1
            if current.open_tasks[name] == 0:
                self._store(current, member)
        self._close_if_done(current)
        self.on_progress(self._fraction())

    def _store(self, current: Round, member: StoredMember) -> None:
        if member.is_unchanged(self.context.store):
            self.answers.write(current.alteration, member.name, member.signature, current.logits[member.name])
            self._finish(current, member.name)
        else:
            self._fail(current, member.name, Failure(_CHANGED, ""), None)

    def _fail(self, current: Round, name: str, failure: Failure, size: tuple[int, int] | None) -> None:
        found = InferenceFailure(current.alteration, name, failure.cause, size, failure.traceback)
        self.failures.append(found)
        self.context.board.log(f"  {found.sentence()}")
        if name in current.members:
            self.answers.write_failure(found, current.members[name].signature)
        self._finish(current, name)

    def _finish(self, current: Round, name: str) -> None:
        current.seconds.pop(name, None)
        current.members.pop(name, None)

    def _close_if_done(self, current: Round) -> None:
        """Release an alteration of which nothing is open."""
        if current.alteration in self._rounds and not current.members and not current.tables:
            del self._rounds[current.alteration]
            for request in current.requests:
                self.tables.forget(request, current.photographs)
            self.context.engine.unshare(current.photographs.key)

    def _fraction(self) -> float:
        """Return how much of the run is done."""
        done = len(self._urgency) - len(self._waiting) - len(self._rounds)
        parts = (1 - self._seconds_left(current) / current.total for current in self._rounds.values())
        return (done + sum(parts)) / len(self._urgency)

    def _seconds_left(self, current: Round) -> float:
        features = (
            seconds * sum(self.tables.remaining(request, current.photographs))
            for request, seconds in current.tables.values()
        )
        return sum(current.seconds.values()) + sum(features)


def alter_all(photographs: NDArray[np.uint8], alteration: Alteration) -> NDArray[np.uint8]:
    """Return every photograph altered, uint8 (photographs, height, width, 3); threads work side by side."""
    return np.stack(in_threads(alteration, photographs))
