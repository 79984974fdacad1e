"""A table of predictions that somebody else wrote: a row for each photograph, in the competition's order."""

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
class Given:
    """One file: its table has the columns name, value, text (the value as written), and fold where there is one."""

    file: Location
    sha256: str
    table: pd.DataFrame


def read_given(file: Location, called: str, filled: str = "pred") -> Given:
    """Read one file. The sample calls its column of names `called`, and that of predictions `filled`.

    Raises
    ------
    UserError
        The file cannot be read, or its columns cannot be told apart.
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
    name, prediction = _columns(table, file, called, filled)
    text = table[prediction].astype(str).str.strip()
    numbers = table[prediction] if is_numeric_dtype(table[prediction]) else pd.to_numeric(text, errors="coerce")
    found = pd.DataFrame(
        {"name": table[name].astype(str).str.strip(), "value": numbers.astype("float64"), "text": text}
    )
    if "fold" in table:
        found["fold"] = table["fold"].astype(str).str.strip().where(table["fold"].notna(), "")
    return Given(file, hashlib.sha256(content).hexdigest(), found)


def _read_csv(content: BytesIO) -> pd.DataFrame:
    """All columns as text: 00012 is a name. A cell too many is an error."""
    header = content.getvalue().partition(b"\n")[0]
    if b"," not in header and any(mark in header for mark in (b";", b"\t", b"|")):
        raise ValueError("its columns must be separated by commas")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(content, dtype=str, keep_default_na=False, index_col=False)


def _columns(table: pd.DataFrame, file: Location, called: str, filled: str) -> tuple[str, str]:
    """The columns of names and of predictions."""
    columns = list(table.columns)
    known = [column for column in columns if column in _PREDICTIONS]
    free = [column for column in columns if column not in (*known, *_LEDGER, filled)]
    name = next((title for title in (called, "name", "id") if title in columns), free[0] if free else "")
    usual = [column for column in columns if column == filled]
    found = known or usual or [column for column in free if column != name]
    if any(_is_number(column) for column in found):
        raise UserError(f"{file} has no header: its first line is {', '.join(columns)}; begin with the line name,pred")
    if not name or len(found) != 1 or len(set(columns)) < len(columns):
        raise UserError(
            f"{file}: one column should hold the name and one the prediction, called pred; its columns are "
            f"{', '.join(columns) or 'none'}"
        )
    return name, found[0]


def _is_number(title: str) -> bool:
    try:
        float(title)
    except ValueError:
        return False
    return True


def in_order(given: Given, names: list[str], split: str, problems: Problems) -> Given:
    """A row for each of `names`, the photographs of train/ or test/, in their order.

    What stands in the way is added to `problems`; the table is of use only where there are none.
    """
    find = _finder(names, split)
    table = given.table.assign(name=given.table["name"].map(find).astype(str))
    faults = _faults(table, names, split)
    problems.update({f"{given.file}: {kind}": rows for kind, rows in faults.items() if rows})
    ordered = table.drop_duplicates("name").set_index("name").reindex(names)
    return replace(given, table=ordered.rename_axis("name").reset_index())


def _faults(table: pd.DataFrame, names: list[str], split: str) -> Problems:
    """For each kind of fault the rows that have it."""
    name, there = table["name"], set(table["name"])
    known = name.isin(names)
    shortened = ~known & name.isin({_stem(n).lstrip("0") or "0" for n in names if n.startswith("0")})
    described = name + " has " + table["text"].map(repr)
    return {
        f"no photograph of {split}/": name[~known & ~shortened].tolist(),
        "leading zeros were lost, read names as text": name[shortened].tolist(),
        f"stands twice, or more often, for one photograph of {split}/": name[name.duplicated()].unique().tolist(),
        f"photograph of {split}/ without a row": [n for n in names if n not in there],
        "no finite number": described[~np.isfinite(table["value"])].tolist(),
        "no fold": name[table["fold"] == ""].tolist() if split == "train" and "fold" in table else [],
    }


def _finder(names: list[str], split: str) -> Callable[[str], str]:
    """Finds the photograph of a name that lacks its extension, or has one where the competition's lack it."""
    whole = {name.removeprefix(f"{split}/"): name for name in names}
    stems = Counter(_stem(name) for name in whole)
    short = {_stem(plain): name for plain, name in whole.items() if stems[_stem(plain)] == 1}

    def find(given: str) -> str:
        plain = given.removeprefix(f"{split}/")
        return whole.get(plain) or short.get(plain) or whole.get(_stem(plain)) or given

    return find


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
