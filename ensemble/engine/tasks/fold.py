"""One fold of one member: fit on the training rows, predict the held-out rows and the test rows."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.images import RowView
from ensemble.config.members import MemberSettings, PseudoLabels, Resources
from ensemble.core.console.text import sentence
from ensemble.core.threads import threads
from ensemble.engine.recipes.build import build_model
from ensemble.engine.recipes.code import check_code, versions
from ensemble.engine.recipes.saving import model_files
from ensemble.engine.tasks.base import FOLDS, LABELS, PHOTOGRAPHS, Report, Task, fake_probability
from ensemble.engine.tasks.memory import peak_mib, reset_peak
from ensemble.engine.tasks.output import printed

_AT_ONCE = 2**28  # bytes of rows that are predicted together


@dataclass(frozen=True)
class FoldResult:
    """Result of one fold of one member.

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
    output : str
        What the member and its libraries printed.
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
    output: str = field(default="", repr=False)


@dataclass(frozen=True)
class FoldTask(Task):
    """One fold of one member.

    Attributes
    ----------
    code : str
        Hash of the member's code as the driver knows it.
    table : str
        Key of the shared array that the member reads: the photographs (uint8), or its features (float32). Training
        rows come first.
    timeout : float
        Seconds that it may run; a longer one is ended and has failed.
    """

    member: MemberSettings
    fold: int
    code: str
    table: str = PHOTOGRAPHS
    timeout: float = math.inf

    @property
    def title(self) -> str:
        """Member and fold."""
        return f"{self.member.name}/fold-{self.fold}"

    @property
    def group(self) -> str:
        """Name of the member."""
        return self.member.name

    @property
    def turn(self) -> int:  # type: ignore[override]
        """Number of the fold: the first fold of every member goes before the second of any."""
        return self.fold

    @property
    def resources(self) -> Resources:
        """Resources of the member's folds."""
        return self.member.resources

    @property
    def reads(self) -> tuple[str, ...]:
        """Table, labels and folds."""
        return (self.table, LABELS, FOLDS)

    def prepare(self) -> None:
        """Import the member's code, and check that it is the driver's."""
        check_code(self.member.recipe, self.code)
        build_model(self.member, self.fold)

    def run(self, inputs: list[Any], report: Report) -> FoldResult:
        """Fit and predict. The held-out labels are never touched."""
        table, labels, folds = inputs
        reset_peak()
        training, held_out = np.flatnonzero(folds != self.fold), np.flatnonzero(folds == self.fold)
        with threads(self.resources.num_cpus), printed() as output:
            model = build_model(self.member, self.fold)
            twice = self.member.pseudo_labels is not None
            _set_report(model, (lambda done, text: report(done / 2, text)) if twice else report)
            started = time.time()
            model.fit(_rows(model, table, training), labels[training])
            if twice:
                model = self._refitted(model, table, labels, training, report)
            fitted = time.time()
            heldout = _predict(model, table, held_out)
            test = _predict(model, table, np.arange(len(labels), len(table)))
            finished = time.time()
            files, note = model_files(model)
        return FoldResult(
            member=self.member.name,
            fold=self.fold,
            heldout=heldout,
            test=test,
            seconds_fit=fitted - started,
            seconds_predict=finished - fitted,
            started=started,
            finished=finished,
            peak_memory_mib=peak_mib(),
            threads=self.resources.num_cpus,
            versions=versions(),
            model=files,
            model_note=sentence(note),
            history=_history(model),
            output=str(output),
        )

    def _refitted(
        self, model: Any, table: Any, labels: NDArray[np.int64], training: NDArray[np.intp], report: Report
    ) -> Any:
        """Return a model that has learned test rows too, with the labels that the fitted one is sure of."""
        settings = self.member.pseudo_labels
        assert settings is not None  # noqa: S101  as the caller knows
        test = np.arange(len(labels), len(table))
        rows, pseudo = pseudo_labelled(_predict(model, table, test), settings, len(training))
        if not len(rows):
            return model
        again = build_model(self.member, self.fold)
        _set_report(again, lambda done, text: report((1 + done) / 2, text))
        again.fit(
            _rows(again, table, np.concatenate([training, test[rows]])), np.concatenate([labels[training], pseudo])
        )
        return again


def _set_report(model: Any, report: Report) -> None:
    """Let a model that reports its progress do so."""
    if hasattr(model, "on_progress"):
        model.on_progress = _checked(report)


def pseudo_labelled(
    probabilities: NDArray[np.float64], settings: PseudoLabels, learned: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return rows whose label a model is sure of, and these labels: as many real as fake ones, the surest first.

    Parameters
    ----------
    probabilities : float64 (rows,)
        Of fake.
    learned : int
        Rows that the model has learned.
    """
    sure = [np.flatnonzero(certainty >= settings.confidence) for certainty in (1 - probabilities, probabilities)]
    count = min(*map(len, sure), int(settings.most * learned / 2))
    real = sure[0][np.argsort(probabilities[sure[0]], kind="stable")[:count]]
    fake = sure[1][np.argsort(-probabilities[sure[1]], kind="stable")[:count]]
    return np.concatenate([real, fake]), np.repeat([0, 1], count)


def _rows(model: Any, table: Any, picked: NDArray[np.intp]) -> Any:
    """Return some rows of a table: read as the model asks for them, if it can do with that, else all at once."""
    return RowView(table, picked) if getattr(model, "reads_rows_lazily", False) else table[picked]


def _predict(model: Any, table: Any, picked: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the probability of fake of some rows (rows,), of which few are in memory at once."""
    if getattr(model, "reads_rows_lazily", False):
        return fake_probability(model, RowView(table, picked))
    at_once = max(_AT_ONCE // max(math.prod(table.shape[1:]) * table.dtype.itemsize, 1), 1)
    parts = [picked[start : start + at_once] for start in range(0, len(picked), at_once)]
    return np.concatenate([fake_probability(model, table[part]) for part in parts or [picked]])


def _checked(report: Report) -> Report:
    """Pass on fractions with a text; anything else that a member reports is ignored."""

    def checked(fraction: float, text: str) -> None:
        with suppress(TypeError, ValueError):
            share = float(fraction)
            if math.isfinite(share):
                report(min(max(share, 0.0), 1.0), sentence(str(text)))

    return checked


def _history(model: Any) -> list[dict[str, Any]]:
    """Return a model's record of its training as plain JSON; whatever else it is must never cost the fold."""
    try:
        history: list[dict[str, Any]] = json.loads(json.dumps(list(model.history_), default=_plain))
    except Exception:
        return []
    return [entry for entry in history if isinstance(entry, dict)]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
