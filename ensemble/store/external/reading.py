"""Reading external tables of predictions: a row for each photograph, in the competition's order."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pandas as pd

from ensemble.competition.columns import Split, find_names
from ensemble.competition.labels import meaning_of
from ensemble.competition.rows import Problems, check_rows
from ensemble.competition.tables import Table, read_table, table_of_frame
from ensemble.core.console.text import first_few, plain
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location

# Titles of predictions; those of an earlier line are preferred.
_PREDICTIONS = (
    (
        "pred",
        "prediction",
        "predictions",
        "probability",
        "prob",
        "proba",
        "logit",
        "score",
        "oof_pred",
        "y_pred",
        "oof",
    ),
    ("fake", "is_fake", "p_fake", "prob_fake", "1", "target"),
)
_LEDGER = ("label", "group", "fold")
_SUM_TO_ONE = 1e-3
_GIVE = "give a CSV file or a .parquet file"


@dataclass(frozen=True)
class ExternalTable:
    """Table read from an external file, a row for each photograph in the competition's order.

    Attributes
    ----------
    file : path
    sha256 : str
        Hash of the file.
    table : DataFrame
        Columns name, value (float64), text (the value as written), and fold if the file has it.
    notes : list of str
        How it was read.
    """

    file: Location
    sha256: str
    table: pd.DataFrame
    notes: list[str]


def read_external(
    file: Location,
    split: Split,
    problems: Problems,
    prediction_column: str | None = None,
    may_lack: Collection[str] = (),
) -> ExternalTable:
    """Read one file. Problems of its rows are added to `problems`; the result is valid only if there are none.

    Parameters
    ----------
    file : path
        CSV, or Parquet by its suffix, whose index may hold the names.
    split : Split
        Names of the photographs of train/ or test/, in their order.
    prediction_column : str, optional
        Title of the predictions in the sample submission.
    may_lack : collection of str
        Names that need no row, since nobody can read their photographs; the value is NaN then.

    Raises
    ------
    UserError
        The file cannot be read, or its columns are ambiguous.
    """
    content = _content(file)
    table = _table(content, file, split)
    names, matching = find_names(table, split, None, "keep one column of names alone", _LEDGER)
    prediction, notes = _prediction(table, names, prediction_column)
    notes += check_rows(table, list(table.columns[names]), matching, split, problems)
    frame = pd.DataFrame({"value": table.numbers(prediction), "text": table.columns[prediction].to_numpy()})
    fold = next((title for title in table.titles if title.lower() == "fold"), None)
    if fold is not None and split.folder == "train":
        frame["fold"] = table.columns[fold].to_numpy()
    frame["name"] = matching.found
    _check_values(frame, file, split, problems, may_lack)
    ordered = frame.drop_duplicates("name").set_index("name").reindex(list(split.names))
    ordered = ordered.rename_axis("name").reset_index()
    return ExternalTable(file, hashlib.sha256(content).hexdigest(), ordered, notes)


def _content(file: Location) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read as a table ({error.strerror or error}); {_GIVE}") from None


def _table(content: bytes, file: Location, split: Split) -> Table:
    if file.suffix.lower() != ".parquet":
        return read_table(content, str(file), split.names)
    try:
        return table_of_frame(pd.read_parquet(BytesIO(content)), str(file))
    except UserError:
        raise
    except Exception as error:  # what pyarrow and pandas raise on damaged bytes is no closed list
        raise UserError(f"{file} cannot be read as a table (it is not a Parquet file, or damaged); {_GIVE}") from error


def _prediction(table: Table, names: str, usual: str | None) -> tuple[str, list[str]]:
    """Find the column of predictions: by its title, or as the fake one of two classes that sum to one."""
    index = table.untitled if table.header else frozenset()
    known = {names, "Unnamed: 0", "index", *index}
    free = [title for title in table.titles if title not in known and (title == usual or title.lower() not in _LEDGER)]
    numeric = [title for title in free if not np.isnan(table.numbers(title)).all()]
    pair = [title for title in numeric if meaning_of(title) in (0, 1)]
    if sorted(map(meaning_of, pair)) == [0, 1] and _sum_to_one(table, pair):
        fake = max(pair, key=meaning_of)
        return fake, [f"{table.file}: of the classes {pair[0]} and {pair[1]}, {fake} is read as fake"]
    for titles in (*_PREDICTIONS, (usual or "",)):
        found = [title for title in free if title.lower() in titles or title == usual]
        if len(found) == 1:
            return found[0], []
        if found:
            break
    else:
        found = numeric if len(free) != 1 else free
    if len(found) != 1:
        which = f"may be {first_few(found)}" if found else f"is none of {first_few(table.titles)}"
        header = "" if table.header else " (it has no header)"
        raise UserError(f"{table.file}: the column of predictions {which}{header}; call it pred")
    return found[0], []


def _sum_to_one(table: Table, titles: list[str]) -> bool:
    return bool(np.allclose(sum(table.numbers(title) for title in titles), 1, atol=_SUM_TO_ONE, equal_nan=True))


def _check_values(
    frame: pd.DataFrame, file: Location, split: Split, problems: Problems, may_lack: Collection[str]
) -> None:
    """Add rows whose value or fold is missing, and photographs without a row."""
    described = frame["name"] + " has " + frame["text"].map(repr)
    faults = {
        "not a finite number": described[~np.isfinite(frame["value"])].tolist(),
        "no fold": frame["name"][frame["fold"] == ""].tolist() if "fold" in frame else [],
        f"photograph of {split.folder}/ without a row": sorted(set(split.names) - {*frame["name"], *may_lack}),
    }
    for kind, rows in faults.items():
        if rows:
            problems[f"{file}: {kind}"] = [plain(row) for row in rows]
