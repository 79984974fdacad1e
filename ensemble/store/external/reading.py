"""Reading external tables of predictions: a row for each photograph, in the competition's order."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_numeric_dtype

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location

_PREDICTIONS = ("pred", "prediction", "probability", "prob", "proba", "logit", "score")
_LEDGER = ("name", "label", "group", "fold")

Problems = dict[str, list[str]]


@dataclass(frozen=True)
class ExternalTable:
    """Table read from an external file: columns name, value, text (the value as written), and fold if it has one."""

    file: Location
    sha256: str
    table: pd.DataFrame


def read_table(file: Location, name_column: str, prediction_column: str = "pred") -> ExternalTable:
    """Read one file; `name_column` and `prediction_column` are those of the sample.

    Raises
    ------
    UserError
        The file cannot be read, or its columns are ambiguous.
    """
    try:
        content = file.read_bytes()
        read = pd.read_parquet if file.suffix.lower() == ".parquet" else _read_csv
        table = read(BytesIO(content))
    except (OSError, ValueError, pa.ArrowException, pd.errors.ParserWarning) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(f"{file} cannot be read as a table ({reason}); give a CSV file or a .parquet file") from None
    table = table if table.index.name is None else table.reset_index()
    table.columns = [str(column).strip().lower() for column in table.columns]
    name, prediction = _columns(table, file, name_column, prediction_column)
    text = table[prediction].astype(str).str.strip()
    numbers = table[prediction] if is_numeric_dtype(table[prediction]) else pd.to_numeric(text, errors="coerce")
    found = pd.DataFrame(
        {"name": table[name].astype(str).str.strip(), "value": numbers.astype("float64"), "text": text}
    )
    if "fold" in table:
        found["fold"] = table["fold"].astype(str).str.strip().where(table["fold"].notna(), "")
    return ExternalTable(file, hashlib.sha256(content).hexdigest(), found)


def _read_csv(content: BytesIO) -> pd.DataFrame:
    """Read all columns as text, since 00012 is a name. An extra cell is an error."""
    header = content.getvalue().partition(b"\n")[0]
    if b"," not in header and any(mark in header for mark in (b";", b"\t", b"|")):
        raise ValueError("its columns must be separated by commas")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(content, dtype=str, keep_default_na=False, index_col=False)


def _columns(table: pd.DataFrame, file: Location, name_column: str, prediction_column: str) -> tuple[str, str]:
    """Find the columns of names and of predictions."""
    columns = list(table.columns)
    known = [column for column in columns if column in _PREDICTIONS]
    free = [column for column in columns if column not in (*known, *_LEDGER, prediction_column)]
    name = next((title for title in (name_column, "name", "id") if title in columns), free[0] if free else "")
    usual = [column for column in columns if column == prediction_column]
    found = known or usual or [column for column in free if column != name]
    if any(_is_number(column) for column in found):
        raise UserError(f"{file} has no header: its first line is {', '.join(columns)}; add a line name,pred")
    if not name or len(found) != 1 or len(set(columns)) < len(columns):
        raise UserError(
            f"{file}: one column should contain the name and one, called pred, the prediction; its columns are "
            f"{', '.join(columns) or 'none'}"
        )
    return name, found[0]


def _is_number(title: str) -> bool:
    try:
        float(title)
    except ValueError:
        return False
    return True


def in_order(table: ExternalTable, names: list[str], split: str, problems: Problems) -> ExternalTable:
    """Select a row for each of `names`, the photographs of train/ or test/, in their order.

    Problems are added to `problems`; the result is valid only if there are none.
    """
    find = _finder(names, split)
    renamed = table.table.assign(name=table.table["name"].map(find).astype(str))
    faults = _faults(renamed, names, split)
    problems.update({f"{table.file}: {kind}": rows for kind, rows in faults.items() if rows})
    ordered = renamed.drop_duplicates("name").set_index("name").reindex(names)
    return replace(table, table=ordered.rename_axis("name").reset_index())


def _faults(table: pd.DataFrame, names: list[str], split: str) -> Problems:
    """Return the affected rows of each kind of problem."""
    name, present = table["name"], set(table["name"])
    known = name.isin(names)
    shortened = ~known & name.isin({_stem(n).lstrip("0") or "0" for n in names if n.startswith("0")})
    described = name + " has " + table["text"].map(repr)
    return {
        f"no photograph of {split}/": name[~known & ~shortened].tolist(),
        "leading zeros were lost; read names as text": name[shortened].tolist(),
        f"several rows for one photograph of {split}/": name[name.duplicated()].unique().tolist(),
        f"photograph of {split}/ without a row": [n for n in names if n not in present],
        "not a finite number": described[~np.isfinite(table["value"])].tolist(),
        "no fold": name[table["fold"] == ""].tolist() if split == "train" and "fold" in table else [],
    }


def _finder(names: list[str], split: str) -> Callable[[str], str]:
    """Return a function that finds the photograph of a name, with or without an extension."""
    whole = {name.removeprefix(f"{split}/"): name for name in names}
    stems = Counter(_stem(name) for name in whole)
    short = {_stem(plain): name for plain, name in whole.items() if stems[_stem(plain)] == 1}

    def find(name: str) -> str:
        plain = name.removeprefix(f"{split}/")
        return whole.get(plain) or short.get(plain) or whole.get(_stem(plain)) or name

    return find


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
