"""The rows of train.csv and of the sample submission: what they name, checked against the photographs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.columns import Split, existing, find_labels, find_names, find_prediction
from ensemble.competition.labels import UNKNOWN, real_by_title, same
from ensemble.competition.matching import Matching
from ensemble.competition.tables import Table
from ensemble.config.experiment import DataSettings
from ensemble.core.arrays import Labels
from ensemble.core.console.text import brief, first_few, plural
from ensemble.core.errors import UserError

Problems = dict[str, list[str]]
MISSING = "row without a photograph"
PREDICTION_COLUMN = "pred"  # of a sample that has names alone


@dataclass(frozen=True)
class TrainTable:
    """The labelled rows, sorted by name: names as written, their files, labels int64 (1 is fake), groups or None."""

    names: list[str]
    files: list[str]
    labels: NDArray[np.int64]
    groups: list[str | None]

    def without(self, rows: set[int]) -> TrainTable:
        """Leave rows out."""
        kept = [row for row in range(len(self.names)) if row not in rows]
        return TrainTable(
            [self.names[row] for row in kept],
            [self.files[row] for row in kept],
            self.labels[kept],
            [self.groups[row] for row in kept],
        )


@dataclass(frozen=True)
class SampleTable:
    """The sample submission in its own order.

    Attributes
    ----------
    names, files : list of str
        Names of the test photographs as written, and their files.
    name_column, prediction_column : str
        Titles of the two columns that are filled in.
    columns : list of str
        All titles in their order.
    others : dict[str, list[str]]
        Cells of the other columns, which are written back as they stand.
    untitled : list of str
        Titles that are empty in the file.
    header : bool
        Whether the file has titles.
    fixed : dict[str, float]
        Probabilities of rows that no member can predict, since their photograph is missing or unreadable.
    """

    names: list[str]
    files: list[str]
    name_column: str
    prediction_column: str
    columns: list[str]
    others: dict[str, list[str]] = field(default_factory=dict)
    untitled: list[str] = field(default_factory=list)
    header: bool = True
    fixed: dict[str, float] = field(default_factory=dict)

    @property
    def has_photograph(self) -> NDArray[np.bool_]:
        """Which rows have a photograph of their own, that members can predict: bool (rows,)."""
        return np.array([name not in self.fixed for name in self.names], dtype=np.bool_)

    def facts(self) -> dict[str, Any]:
        """Return what a store records: attributes that are not as in the usual sample."""
        usual = {"others": {}, "untitled": [], "header": True, "fixed": {}}
        return {name: value for name, value in asdict(self).items() if name not in usual or value != usual[name]}


@dataclass(frozen=True)
class Reading:
    """How train.csv was read: its columns, the value that means fake, and the rows of each class."""

    table: str
    names: str
    labels: str
    fake: str
    counts: dict[str, int]

    def __str__(self) -> str:
        """Describe it in one line."""
        meaning = "" if self.fake.lower() == "fake" else f" ({self.fake} is fake)"
        return (
            f"{self.table}: names in column {brief(self.names)}, labels in {brief(self.labels)}{meaning}: "
            f"{self.counts['fake']:,} fake, {self.counts['real']:,} real"
        )


def read_train(
    table: Table, split: Split, settings: DataSettings, problems: Problems, notes: list[str]
) -> tuple[TrainTable, Reading]:
    """Match train.csv with the photographs of train/; mismatches are added to `problems`, or to `notes` if harmless."""
    title, matching = find_names(table, split, settings.name_column)
    group = None if settings.group_column is None else existing(table, settings.group_column, "group_column")
    fake = None if settings.fake_label is None else str(settings.fake_label)
    label_title, labels = find_labels(table, title, matching.found, settings.label_column, fake, group)
    names = list(table.columns[title])
    for row in (row for row, label in enumerate(labels) if label == UNKNOWN):
        value = table.columns[label_title].iloc[row]
        _add(problems, "label missing or not 0/1", f"{table.line(row)}: {brief(names[row])} has {brief(repr(value))}")
    notes += check_rows(table, names, matching, split, problems, settings.on_bad_photograph == "skip")
    notes += _passed_over(table, matching, split)
    present = set(labels) - {UNKNOWN}
    if len(present) == 1:
        _add(problems, "only one class", f"every label in {table.file} is {present.pop()}")
    groups = [value or None for value in table.columns[group]] if group else [None] * len(names)
    order = [row for row in sorted(range(len(names)), key=names.__getitem__) if matching.found[row] or problems]
    train = TrainTable(
        [names[row] for row in order],
        [matching.found[row] for row in order],
        np.array([labels[row] for row in order], dtype=np.int64),
        [groups[row] for row in order],
    )
    meant = next((cell for cell, label in zip(table.columns[label_title], labels, strict=True) if label == 1), "1")
    return train, Reading(table.file, title, label_title, meant, class_counts(train.labels))


def read_sample(
    table: Table, split: Split, settings: DataSettings, problems: Problems, notes: list[str]
) -> SampleTable:
    """Match the sample submission with the photographs of test/; mismatches are added to `problems` or `notes`.

    Where such photographs may be skipped (`data.on_bad_photograph`), a row without one has an empty file.
    """
    named = settings.name_column if settings.name_column in table.titles else None
    title, matching = find_names(table, split, named)
    prediction = find_prediction(table, title, settings.prediction_column)
    if prediction is None:
        prediction = PREDICTION_COLUMN
        notes.append(
            f"{table.file} has no column for predictions: a column {prediction} is added (data.prediction_column)"
        )
    names = list(table.columns[title])
    notes += check_rows(table, names, matching, split, problems, settings.on_bad_photograph == "skip")
    notes += _passed_over(table, matching, split)
    titles = [*table.titles, *([] if prediction in table.titles else [prediction])]
    others = {column: list(table.columns[column]) for column in table.titles if column not in (title, prediction)}
    return SampleTable(names, matching.found, title, prediction, titles, others, sorted(table.untitled), table.header)


def check_meaning(sample: SampleTable, file: str, reading: Reading, settings: DataSettings) -> None:
    """Raise a `UserError` if the column of predictions asks for the probability of real: that of fake is written."""
    if settings.prediction_column is not None:
        return
    column, reason = sample.prediction_column, ""
    if real_by_title(column):
        reason = "its title"
    elif column == reading.labels and same(reading.fake) == 0:
        reason = f"the same column of {reading.table}, in which 0 is fake,"
    if reason:
        raise UserError(
            f"{file}: {reason} says that column {column} is for the probability of real, and that of fake is written; "
            f"set data.prediction_column to {column}, and submit 1 minus what is written"
        )


def check_rows(
    table: Table, names: Sequence[str], matching: Matching, split: Split, problems: Problems, skip: bool = False
) -> list[str]:
    """Add rows without a photograph of their own to `problems` (unless they may be skipped); return notes."""
    notes = []
    if how := str(matching):
        row = max(range(len(names)), key=lambda row: (bool(matching.found[row]), names[row] != matching.found[row]))
        pair = f"{brief(names[row])} and {split.folder}/{brief(matching.found[row])}"
        notes.append(f"{table.file}: names match {how}, such as {pair}")
    unnamed = sorted(set(split.names) - set(matching.found))
    missing = [row for row, file in enumerate(matching.found) if not file]
    for row in missing:
        where = f"{table.line(row)}: {brief(names[row]) or '(empty)'}"
        if row in matching.several:
            files = [f"{split.folder}/{brief(file)}" for file in matching.several[row]]
            _add(problems, "row with several photographs", f"{where} ({first_few(files, 2)})")
        elif row in matching.shared:
            _add(problems, "row for a photograph of another row", f"{where} ({brief(matching.shared[row])})")
        elif not skip:
            beside = f" (a photograph without a row: {split.folder}/{brief(unnamed[0])})" if unnamed else ""
            _add(problems, MISSING, f"{where}{beside}")
    for file, count in Counter(filter(None, matching.found)).items():
        if count > 1:
            _add(problems, "duplicate row", f"{table.file}: {brief(file)} appears {count} times")
    if skip and missing:
        rows = first_few([f"{table.line(row)}: {brief(names[row])}" for row in missing])
        notes.append(f"{plural(len(missing), 'row')} without a photograph (data.on_bad_photograph: skip): {rows}")
    return notes


def _passed_over(table: Table, matching: Matching, split: Split) -> list[str]:
    """Name the photographs that no row names."""
    unnamed = sorted(set(split.names) - set(matching.found))
    some = first_few([f"{split.folder}/{brief(file)}" for file in unnamed])
    return [f"{plural(len(unnamed), 'photograph')} that {table.file} does not name ignored: {some}"] * bool(unnamed)


def class_counts(labels: Labels) -> dict[str, int]:
    """Count the photographs of each class."""
    return {"fake": int((labels == 1).sum()), "real": int((labels == 0).sum())}


def _add(problems: Problems, kind: str, example: str) -> None:
    problems.setdefault(kind, []).append(example)
