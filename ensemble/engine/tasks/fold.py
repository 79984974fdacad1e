"""The kinds of work as plain functions: what a worker does, and what an engine without workers does itself."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.images import RowView
from ensemble.core.console.text import sentence
from ensemble.core.threads import threads
from ensemble.engine.recipes.build import build, build_model, import_object
from ensemble.engine.recipes.code import recipe_code, versions
from ensemble.engine.recipes.saving import model_files, model_of_files
from ensemble.engine.tasks.base import Answers, AskTask, Features, FeatureTask, FoldTask, Pilot, PilotTask, Task
from ensemble.engine.tasks.memory import forget_peak, peak_mib


@dataclass(frozen=True)
class FoldResult:
    """What one (member, fold) task brings home.

    Attributes
    ----------
    heldout, test : float64 arrays
        Probability of fake for the rows that this fold held out (in ledger order) and for the test rows.
    model : dict of bytes
        The files of the trained model, by name; empty when it could not be saved (`model_note` says why).
    started, finished : float
        Seconds since the epoch.
    peak_memory_mib : float
        Highest resident memory of the process that did the work.
    """

    member: str
    fold: int
    heldout: NDArray[np.float64]
    test: NDArray[np.float64]
    seconds_fit: float
    seconds_predict: float
    started: float
    finished: float
    peak_memory_mib: float
    threads: int
    versions: dict[str, str]
    model: dict[str, bytes] = field(default_factory=dict, repr=False)
    model_note: str = ""
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)


Report = Callable[[float, str], None]
Outcome = FoldResult | Features | Pilot | Answers

_ROUNDING = 1e-6  # of single precision
_ALIKE = 1e-4  # rounding may depend on how many rows are computed together; statistics of the batch show more


def run_task(task: Task, arrays: Sequence[Any], report: Report) -> Outcome:
    """Do the work of a task.

    A fold reads its table, the labels and the folds; others the photographs of their rows, a pilot their labels too,
    and a model that is asked again its own files.
    """
    if isinstance(task, FoldTask):
        table, labels, folds = arrays
        return run_fold(task, table, labels, folds, _careful(report))
    if isinstance(task, PilotTask):
        return run_pilot(task, *arrays)
    if isinstance(task, AskTask):
        return run_ask(task, *arrays)
    return run_features(task, *arrays)


def run_fold(
    task: FoldTask, table: NDArray[Any], labels: NDArray[np.int64], folds: NDArray[np.int64], report: Report
) -> FoldResult:
    """Fit on the training rows, predict the held-out rows and the test rows. The held-out labels are never touched.

    Parameters
    ----------
    table : array (photographs, ...)
        Photographs (uint8) or their features (float32), training rows first.
    labels : int64 (training rows,)
        Labels of the training photographs.
    folds : int64 (training rows,)
        The fold that each of them is held out in.
    report : callable
        Takes (fraction done, text).
    """
    _check_code(task)
    forget_peak()
    training, held_out = np.flatnonzero(folds != task.fold), np.flatnonzero(folds == task.fold)
    with threads(task.member.resources.num_cpus):
        model = build_model(task.member, task.fold)
        lazy = getattr(model, "reads_rows_lazily", False)
        rows = RowView if lazy else (lambda array, picked: array[picked])
        if hasattr(model, "on_progress"):
            model.on_progress = report
        started = time.time()
        model.fit(rows(table, training), labels[training])
        fitted = time.time()
        heldout = _fake_probability(model, rows(table, held_out))
        test = _fake_probability(model, rows(table, np.arange(len(labels), len(table))))
        finished = time.time()
        files, note = model_files(model)
        note = sentence(note)
    return FoldResult(
        member=task.member.name,
        fold=task.fold,
        heldout=heldout,
        test=test,
        seconds_fit=fitted - started,
        seconds_predict=finished - fitted,
        started=started,
        finished=finished,
        peak_memory_mib=peak_mib(),
        threads=task.member.resources.num_cpus,
        versions=versions(),
        model=files,
        model_note=note,
        history=_history(model),
    )


def _careful(report: Report) -> Report:
    """Pass on what is a fraction and a text; a member that reports anything else is not heard, and not disturbed."""

    def told(fraction: float, text: str) -> None:
        with suppress(TypeError, ValueError):
            share = float(fraction)
            if math.isfinite(share):
                report(min(max(share, 0.0), 1.0), sentence(str(text)))

    return told


def _history(model: Any) -> list[dict[str, Any]]:
    """What a model remembers of its training, as plain JSON; whatever else it is must never cost the fold."""
    try:
        history: list[dict[str, Any]] = json.loads(json.dumps(list(model.history_), default=_plain))
    except Exception:
        return []
    return [entry for entry in history if isinstance(entry, dict)]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _check_code(task: FoldTask | AskTask) -> None:
    """A worker imports code when it starts, from its own node: it may be other code than the driver signed for."""
    if recipe_code(task.member.recipe) != task.code:
        raise RuntimeError(
            "the member's code changed during the run, or this node has another version of it; run again"
        )


def run_features(task: FeatureTask, photographs: NDArray[np.uint8]) -> Features:
    """Features of the photographs of a chunk; the seconds do not count loading the transformer."""
    with threads(task.resources.num_cpus):
        transformer = build(task.recipe)
        started = time.perf_counter()
        table = np.ascontiguousarray(transformer.transform(photographs), dtype=np.float32)
        seconds = time.perf_counter() - started
    use = task.recipe.use
    if table.ndim != 2 or len(table) != len(photographs):
        raise ValueError(f"{use} gave features of shape {table.shape} for {len(photographs)} photographs")
    if not np.allclose(transformer.transform(photographs[-1:]), table[-1:], rtol=_ALIKE, atol=_ALIKE, equal_nan=True):
        raise ValueError(f"{use} is not stateless: a photograph alone gives other features than among others")
    return Features(table, seconds)


def run_pilot(task: PilotTask, photographs: NDArray[np.uint8], labels: NDArray[np.int64]) -> Pilot:
    """Fit on a third of the rows and on all of them: a straight line through both tells what many rows take."""
    third = len(labels) // 3
    with threads(task.resources.num_cpus):
        table, features = photographs, 0.0
        if task.member.features is not None:
            transformer = build(task.member.features)
            features, table = _seconds(lambda: transformer.transform(photographs))
        model = build_model(task.member, fold=0)
        model.fit(table[:third], labels[:third])  # whatever is only slow the first time
        few, _ = _seconds(lambda: model.fit(table[:third], labels[:third]))
        all_of_them, _ = _seconds(lambda: model.fit(table, labels))
        predict, _ = _seconds(lambda: model.predict_proba(table))
    each = max(all_of_them - few, 0.0) / (len(labels) - third)
    return Pilot(max(few - each * third, 0.0), each, predict / len(labels), features / len(labels))


def run_ask(task: AskTask, rows: NDArray[Any], files: dict[str, bytes]) -> Answers:
    """What a stored model says of some rows of a table; `files` are those of the model, by name."""
    _check_code(task)
    with threads(task.resources.num_cpus):
        model = model_of_files(files, import_object(task.member.model.use))
        return Answers(_fake_probability(model, rows))


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _fake_probability(model: Any, X: Any) -> NDArray[np.float64]:
    """The second column of `predict_proba`, checked: one finite probability for each photograph."""
    probabilities = np.asarray(model.predict_proba(X), dtype=np.float64)
    if probabilities.shape != (len(X), 2):
        raise ValueError(f"predict_proba gave shape {probabilities.shape} for {len(X)} photographs; it must be (n, 2)")
    fake = probabilities[:, 1]
    if not ((fake >= -_ROUNDING) & (fake <= 1 + _ROUNDING)).all():
        raise ValueError("predict_proba gave values that are NaN or outside [0, 1]")
    return fake.clip(0, 1)
