"""Asking the stored models about altered photographs: alteration after alteration, and the next before workers idle."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ensemble.config import Recipe, Resources
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.metrics.scores import to_logits
from ensemble.core.storage.files import Location, local_copy
from ensemble.engine.agenda import Agenda, work_off
from ensemble.engine.base import Engine, Finished
from ensemble.engine.features.table import FeatureWork, content_keys, features_key
from ensemble.engine.tasks.base import Answers, AskTask, Features, FeatureTask, Task
from ensemble.engine.tasks.failures import Failure
from ensemble.store.oof import OofStore
from ensemble.stress.robustness.alterations import ALTERATIONS, Alteration
from ensemble.stress.robustness.kept import Kept, Trouble
from ensemble.stress.robustness.subjects import Subject

COLUMNS = "_columns"  # no member may be called so
_ROWS = 512  # photographs that a model is asked about at once: 100 MB at 256 px
_LOADING = 0.1  # seconds to load a model, roughly: only for telling how far we are


@dataclass
class Round:
    """One alteration while it is asked about: what is open of it, with the seconds that it is likely to take."""

    alteration: str
    altered: NDArray[np.uint8] = field(repr=False)
    content: list[str] = field(repr=False)
    size: tuple[int, int] | None
    subjects: dict[str, Subject]
    tables: dict[str, FeatureWork] = field(default_factory=dict)
    logits: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)  # tasks of a member that are not over
    left: dict[str, float] = field(default_factory=dict)  # by member, and by the key of features
    all_of_it: float = 1.0

    @property
    def photographs(self) -> str:
        """The key under which the engine shares them."""
        return f"altered/{self.alteration}"

    @property
    def fraction(self) -> float:
        """How much of it is done."""
        return 1 - sum(self.left.values()) / self.all_of_it


class Asking:
    """Asks members about alterations of the sample, and keeps every answer as soon as it is whole.

    Parameters
    ----------
    photographs : uint8 (photographs, height, width, 3)
        The sample, as it is.
    columns : Recipe or None
        What a blender reads beside the logits.
    cache : path
        Of features.
    report : callable
        Takes the fraction that is done.
    """

    def __init__(
        self,
        photographs: NDArray[np.uint8],
        columns: Recipe | None,
        kept: Kept,
        store: OofStore,
        engine: Engine,
        board: ProgressBoard,
        cache: Location,
        report: Callable[[float], None],
    ) -> None:
        self.photographs, self.kept, self.store, self.engine = photographs, kept, store, engine
        self.columns = None if columns is None else (features_key(columns), columns)
        self.board, self.cache, self.report = board, cache, report
        self.troubles: list[Trouble] = []
        self._rounds: dict[str, Round] = {}
        self._models: dict[tuple[str, int], str] = {}
        self._copies = ExitStack()  # of models, for one run
        self._order: dict[str, float] = {}  # of the rounds, by the key of their photographs
        self._agenda = Agenda(lambda task: self._order[_about(task)])

    def run(self, to_do: Mapping[str, Sequence[Subject]], columns_of: Sequence[str] = ()) -> list[Trouble]:
        """Ask these members about each alteration; gives what could not be asked, while the rest went on.

        `columns_of` are alterations of whose photographs a blender's columns are to be kept too.
        """
        waiting = list(dict.fromkeys([*to_do, *columns_of]))
        self._order |= {f"altered/{name}": float(len(waiting) - place) for place, name in enumerate(waiting)}
        rounds = len(waiting)

        def go_on() -> None:
            while waiting and len(self._agenda) < self.engine.slots():
                name = waiting.pop(0)
                self._begin(name, to_do.get(name, ()), name in columns_of)
            done = rounds - len(waiting) - len(self._rounds)
            self.report((done + sum(each.fraction for each in self._rounds.values())) / rounds)

        with self._copies:
            go_on()
            for finished in work_off(self._agenda, self.engine, self.board):
                self._settle(finished)
                go_on()
        return self.troubles

    def _begin(self, name: str, subjects: Sequence[Subject], with_columns: bool) -> None:
        """Alter the photographs, and put on the agenda what can be done with them."""
        altered = alter_all(self.photographs, ALTERATIONS[name])
        size = None if altered.shape == self.photographs.shape else (altered.shape[1], altered.shape[2])
        this = Round(name, altered, content_keys(altered), size, {subject.name: subject for subject in subjects})
        self._rounds[name] = this
        self.engine.share(this.photographs, altered)
        for subject in subjects:
            this.left[subject.name] = len(altered) * subject.seconds_predict + _LOADING * len(subject.made_of)
            key, recipe = subject.features_key, subject.member.features
            if key is None or recipe is None:
                self._ask(this, subject, this.photographs)
            else:
                self._table(this, key, recipe, subject.member.features_resources, subject.seconds_features)
        if with_columns and self.columns is not None:
            self._table(this, *self.columns, Resources(), 0.0)
        this.all_of_it = sum(this.left.values()) or 1.0
        for table in list(this.tables.values()):
            self._offer(this, table)
        self._close(this)

    def _table(self, this: Round, key: str, recipe: Recipe, resources: Resources, seconds: float) -> None:
        """Features that several may read, of so many seconds a photograph."""
        if key not in this.tables:
            cache, shared_as = self.cache, this.photographs
            work = FeatureWork(recipe, key, this.altered, this.content, cache, resources, _silent, shared_as)
            this.tables[key] = work
            this.left[key] = seconds * sum(work.to_come)
            self._agenda.add(work.missing)

    def _offer(self, this: Round, table: FeatureWork) -> None:
        """When a table is whole, ask those that read it."""
        if not table.complete:
            return
        this.left.pop(table.key, None)
        values, shared = table.values(), f"{table.key}/{this.alteration}"
        if self.columns is not None and table.key == self.columns[0]:
            self.kept.write(this.alteration, COLUMNS, table.key, values)
        self.engine.share(shared, values)
        for subject in list(this.subjects.values()):
            if subject.features_key == table.key:
                self._ask(this, subject, shared)
        del this.tables[table.key]

    def _ask(self, this: Round, subject: Subject, table: str) -> None:
        """Each fold's model, about the rows that this fold held out."""
        tasks: list[Task] = []
        for fold in subject.made_of:
            rows = np.flatnonzero(self.kept.sample.folds == fold)
            chunks = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
            model, about = self._model(subject, fold), this.photographs
            tasks += [
                AskTask(subject.member, fold, subject.code, table, chunk, model, about, index)
                for index, chunk in enumerate(chunks)
            ]
        this.logits[subject.name] = np.full(len(self.photographs), np.nan)
        this.asked[subject.name] = len(tasks)
        self._agenda.add(tasks)

    def _model(self, subject: Subject, fold: int) -> str:
        """Where the files of a model lie on this machine: what is fetched once serves for all alterations."""
        place = (subject.name, fold)
        if place not in self._models:
            folder = subject.model_folder(self.store, fold)
            self._models[place] = str(self._copies.enter_context(local_copy(folder)))
        return self._models[place]

    def _settle(self, finished: Finished) -> None:
        """Take what came of a task."""
        task, value = finished.task, finished.value
        this = self._rounds[_about(task).removeprefix("altered/")]
        if isinstance(task, FeatureTask) and isinstance(value, Features):
            table = this.tables[task.key]
            this.left[task.key] *= 1 - len(value.values) / sum(table.to_come)
            table.accept(task, value)
            self._offer(this, table)
        elif isinstance(task, AskTask) and isinstance(value, Answers):
            self._answered(this, task, value)
        elif isinstance(value, Failure):
            self._lose(this, task, value)
        self._close(this)

    def _answered(self, this: Round, task: AskTask, answers: Answers) -> None:
        name = task.member.name
        this.logits[name][task.rows] = to_logits(answers.fake)
        this.left[name] *= 1 - 1 / this.asked[name]
        this.asked[name] -= 1
        if this.asked[name] == 0:
            subject = this.subjects[name]
            if subject.still_the_same(self.store):
                self.kept.write(this.alteration, name, subject.signature, this.logits[name])
            else:
                self._trouble(this, name, Failure("it was trained again meanwhile; run again", ""), None)
            self._over(this, name)

    def _lose(self, this: Round, task: Task, failure: Failure) -> None:
        """What a member raises costs its own answers only, and what a transformer raises those that read it."""
        self._agenda.drop(task.group)
        self.engine.cancel(task.group)
        names: list[str] = []
        if isinstance(task, AskTask):
            names = [task.member.name]
        elif isinstance(task, FeatureTask):
            this.left.pop(task.key)
            del this.tables[task.key]
            names = [name for name, subject in this.subjects.items() if subject.features_key == task.key]
            of_columns = self.columns is not None and task.key == self.columns[0]
            names += ["the blend's columns"] if of_columns else []
        for name in names:
            self._trouble(this, name, failure, this.size)
            self._over(this, name)

    def _trouble(self, this: Round, name: str, failure: Failure, size: tuple[int, int] | None) -> None:
        trouble = Trouble(this.alteration, name, failure.cause, size, failure.traceback)
        self.troubles.append(trouble)
        self.board.log(f"  {trouble.in_words()}")
        if name in this.subjects:
            self.kept.note(trouble, this.subjects[name].signature)

    def _over(self, this: Round, name: str) -> None:
        """Nothing more is asked of a member."""
        this.left.pop(name, None)
        this.subjects.pop(name, None)

    def _close(self, this: Round) -> None:
        """Forget an alteration that nothing is open of: the one place where a round ends, after each step of it."""
        if not this.subjects and not this.tables:
            del self._rounds[this.alteration]
            for key in [key for key in self.engine.shared if key.endswith(f"/{this.alteration}")]:
                self.engine.unshare(key)


def alter_all(photographs: NDArray[np.uint8], alteration: Alteration) -> NDArray[np.uint8]:
    """Every photograph altered, uint8 (photographs, height, width, 3); Pillow and SciPy work beside each other."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(list(pool.map(alteration, photographs)))


def _about(task: Task) -> str:
    """The key of the photographs that a task is about."""
    if isinstance(task, FeatureTask):
        return task.photographs
    return task.about if isinstance(task, AskTask) else ""


def _silent(done: int, photographs: int) -> None:
    """Chunks are counted elsewhere."""
