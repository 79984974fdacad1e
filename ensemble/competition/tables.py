"""train.csv and the sample submission: finding their columns and matching their rows with the photographs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.config import DataSettings
from ensemble.core.errors import UserError

TRAIN_NAME = "train.csv"
SAMPLE_NAMES = ("submit.csv", "sample_submission.csv")
_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_CSV_HEADER_LINES = 2  # row 1 of a table is line 2 of its file

Problems = dict[str, list[str]]


@dataclass(frozen=True)
class TrainTable:
    """The labelled rows, sorted by name: names as written, their files, labels int64 (1 is fake), groups or None."""

    names: list[str]
    files: list[str]
    labels: NDArray[np.int64]
    groups: list[str | None]


@dataclass(frozen=True)
class SampleTable:
    """The sample submission in its own order: names as written, their files, and its two columns."""

    names: list[str]
    files: list[str]
    name_column: str
    prediction_column: str
    columns: list[str]


def read_train(table: pd.DataFrame, photographs: set[str], settings: DataSettings, problems: Problems) -> TrainTable:
    """Match train.csv with the photographs of train/; mismatches are added to `problems`."""
    name_column = _name_column(table, photographs, settings.name_column, TRAIN_NAME)
    label_column = _label_column(table, name_column, settings)
    group_column = _group_column(table, settings)
    names, files = _match(table[name_column], photographs, TRAIN_NAME, "train", problems)
    labels = [_LABELS.get(value.strip(), -1) for value in table[label_column]]
    for row, label in enumerate(labels):
        if label < 0:
            value = table[label_column].iloc[row]
            _add(problems, "label missing or not 0/1", f"{_place(TRAIN_NAME, row)}: {names[row]} has {value!r}")
    present = {label for label in labels if label >= 0}
    if len(present) == 1:
        _add(problems, "only one class", f"every label in {TRAIN_NAME} is {present.pop()}")
    groups = [value or None for value in table[group_column]] if group_column else [None] * len(table)
    order = sorted(range(len(names)), key=names.__getitem__)
    return TrainTable(
        [names[i] for i in order],
        [files[i] for i in order],
        np.array([labels[i] for i in order], dtype=np.int64),
        [groups[i] for i in order],
    )


def read_sample(table: pd.DataFrame, photographs: set[str], settings: DataSettings, problems: Problems) -> SampleTable:
    """Match the sample submission with the photographs of test/; mismatches are added to `problems`."""
    sample = SAMPLE_NAMES[0]
    named = settings.name_column if settings.name_column in table.columns else None
    name_column = _name_column(table, photographs, named, sample)
    others = [column for column in table.columns if column != name_column]
    if len(others) != 1:
        columns = ", ".join(others) or "none"
        raise UserError(
            f"{sample}: besides {name_column} there must be exactly one column, for the prediction; found {columns}"
        )
    names, files = _match(table[name_column], photographs, sample, "test", problems)
    return SampleTable(names, files, name_column, others[0], list(table.columns))


def _name_column(table: pd.DataFrame, photographs: set[str], named: str | None, file: str) -> str:
    """Find the column whose values are photographs, with or without extension."""
    if named is not None:
        return _existing(table, named, "name_column", file)
    known = photographs | {_stem(name) for name in photographs}
    hits = {str(column): int(table[column].map(_plain).isin(known).sum()) for column in table.columns}
    best = max(hits, key=hits.__getitem__, default="")
    if not hits or hits[best] == 0:
        columns = ", ".join(hits) or "none"
        raise UserError(
            f"{file}: no column has names of photographs (columns: {columns}); set data.name_column in the config"
        )
    return best


def _label_column(table: pd.DataFrame, name_column: str, settings: DataSettings) -> str:
    """Find the column of 0 and 1."""
    if settings.label_column is not None:
        return _existing(table, settings.label_column, "label_column", TRAIN_NAME)
    others = [str(column) for column in table.columns if column not in (name_column, settings.group_column)]
    shares = {column: table[column].str.strip().isin(list(_LABELS)).mean() for column in others}
    likely = [column for column, share in shares.items() if share >= 0.5]
    if len(likely) != 1:
        found = ", ".join(likely) or "none"
        raise UserError(
            f"{TRAIN_NAME}: exactly one column should be 0 and 1; found {found}; set data.label_column in the config"
        )
    return likely[0]


def _group_column(table: pd.DataFrame, settings: DataSettings) -> str | None:
    if settings.group_column is None:
        return None
    return _existing(table, settings.group_column, "group_column", TRAIN_NAME)


def _existing(table: pd.DataFrame, column: str, setting: str, file: str) -> str:
    if column not in table.columns:
        raise UserError(f"{file} has no column {column!r} (data.{setting}); its columns are {', '.join(table.columns)}")
    return column


def _match(
    column: pd.Series[str], photographs: set[str], file: str, split: str, problems: Problems
) -> tuple[list[str], list[str]]:
    """Return each row's name and file; rows without a file, files without a row and duplicate rows are problems."""
    stems = Counter(_stem(name) for name in photographs)
    by_stem = {_stem(name): name for name in photographs}
    names = [str(value).strip() for value in column]
    files = []
    for row, name in enumerate(names):
        plain = _plain(name)
        if plain not in photographs and stems[plain] > 1:
            _add(problems, "row with several photographs", f"{_place(file, row)}: {name}")
        match = plain if plain in photographs else by_stem.get(plain, "")
        if not match:
            _add(problems, "row without a photograph", f"{_place(file, row)}: {name or '(empty)'}")
        files.append(match)
    for match, count in Counter(match for match in files if match).items():
        if count > 1:
            _add(problems, "duplicate row", f"{file}: {match} appears {count} times")
    for name in sorted(photographs - set(files)):
        _add(problems, "photograph without a row", f"{split}/{name} is not in {file}")
    return names, files


def _plain(name: str) -> str:
    """Return the name without a leading train/ or test/."""
    parts = PurePosixPath(str(name).strip()).parts
    return "/".join(parts[1:] if len(parts) > 1 and parts[0] in ("train", "test") else parts)


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _place(file: str, row: int) -> str:
    return f"{file} line {row + _CSV_HEADER_LINES}"


def _add(problems: Problems, kind: str, example: str) -> None:
    problems.setdefault(kind, []).append(example)
