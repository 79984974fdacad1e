"""The two kinds of work, as plain functions: the features of a chunk of photographs, and one fold of one member."""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.config import MemberSettings, Recipe, Resources
from ensemble.images import RowView
from ensemble.member import build, build_model
from ensemble.models import model_files
from ensemble.oof import FoldResult
from ensemble.provenance import recipe_code, versions
from ensemble.threads import threads

Report = Callable[[float, str], None]

PHOTOGRAPHS, LABELS, FOLDS = "photographs", "labels", "folds"  # keys of shared arrays, beside those of features
_ALIKE = 1e-4  # rounding may depend on how many rows are computed together; statistics of the batch show more


@dataclass(frozen=True)
class FoldTask:
    """One fold of one member.

    Attributes
    ----------
    code : str
        Hash of the member's code as the driver knows it.
    table : str
        Key of the shared array that the member reads: the photographs, or its features. Training rows come first.
    timeout : float
        Seconds that it may run; a longer one is ended and told as failed.
    """

    member: MemberSettings
    fold: int
    code: str
    table: str = PHOTOGRAPHS
    timeout: float = math.inf

    @property
    def title(self) -> str:
        """How the task is called wherever it is shown."""
        return f"{self.member.name}/fold-{self.fold}"

    @property
    def group(self) -> str:
        """Tasks of a group take about the same time."""
        return self.member.name

    @property
    def resources(self) -> Resources:
        """What it occupies."""
        return self.member.resources


@dataclass(frozen=True)
class FeatureTask:
    """The features of one chunk of the photographs. `key` identifies the recipe and its code; `rows` is the chunk."""

    recipe: Recipe
    key: str
    index: int
    rows: slice
    resources: Resources

    @property
    def title(self) -> str:
        """How the task is called wherever it is shown."""
        return f"{self.group}/chunk-{self.index}"

    @property
    def group(self) -> str:
        """Tasks of a group take about the same time."""
        return f"features/{self.recipe.use.rpartition('.')[2]}-{self.key[:8]}"


Task = FoldTask | FeatureTask


@dataclass(frozen=True)
class Features:
    """What a feature task brings home: float32 (photographs, columns), and the seconds they took."""

    values: NDArray[np.float32]
    seconds: float


def run_task(task: Task, arrays: Sequence[NDArray[Any]], report: Report) -> FoldResult | Features:
    """Do the work of a task. A fold reads its table, labels and folds; a feature task the photographs of its chunk."""
    if isinstance(task, FeatureTask):
        return run_features(task, arrays[0])
    table, labels, folds = arrays
    return run_fold(task, table, labels, folds, report)


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
    return FoldResult(
        member=task.member.name,
        fold=task.fold,
        heldout=heldout,
        test=test,
        seconds_fit=fitted - started,
        seconds_predict=finished - fitted,
        started=started,
        finished=finished,
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        threads=task.member.resources.num_cpus,
        versions=versions(),
        model=files,
        model_note=note,
        history=_history(model),
    )


def _history(model: Any) -> list[dict[str, Any]]:
    """What a model remembers of its training, as plain JSON; whatever else it is must never cost the fold."""
    try:
        history: list[dict[str, Any]] = json.loads(json.dumps(list(model.history_), default=_plain))
    except Exception:
        return []
    return [entry for entry in history if isinstance(entry, dict)]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _check_code(task: FoldTask) -> None:
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


def _fake_probability(model: Any, X: Any) -> NDArray[np.float64]:
    """The second column of `predict_proba`, checked: one finite probability for each photograph."""
    probabilities = np.asarray(model.predict_proba(X), dtype=np.float64)
    if probabilities.shape != (len(X), 2):
        raise ValueError(f"predict_proba gave shape {probabilities.shape} for {len(X)} photographs; it must be (n, 2)")
    fake = probabilities[:, 1]
    if not ((fake >= 0) & (fake <= 1)).all():
        raise ValueError("predict_proba gave values that are NaN or outside [0, 1]")
    return fake
