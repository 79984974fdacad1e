"""The few photographs that a report shows, kept in the store as the competition has them: a page needs no archive.

What is kept is known by the checksums that training noted: another photograph of the same name is never shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from ensemble.competition.dataset import Competition
from ensemble.config import DataSettings
from ensemble.core.errors import UserError
from ensemble.core.storage.files import local_copy, location, new_file, remove_unfinished
from ensemble.store.oof import OofStore
from ensemble.store.opening import read_photograph_hashes

EXHIBITS = "exhibits.parquet"
_SCHEMA = pa.schema(
    [("photograph", pa.string()), ("content", pa.binary()), ("why_not", pa.string()), ("looked_in", pa.string())]
)
NOT_NOTED = "training noted no checksums of the photographs"
OTHER = "other photographs lie there now"
GONE = "the photographs are not where training read them"


@dataclass(frozen=True)
class Exhibits:
    """Photographs of one report.

    Attributes
    ----------
    contents : dict of str to bytes
        The files, by `split/name`.
    why_not : dict of str to str
        Those that are not at hand, and why.
    """

    contents: dict[str, bytes] = field(default_factory=dict)
    why_not: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    content: bytes | None
    why_not: str
    looked_in: str  # a place, and when it was last changed: it is not searched in vain for each report


def read_exhibits(store: OofStore) -> Exhibits:
    """What the store keeps, each photograph compared with the checksum that training noted."""
    rows, noted = _read(store), read_photograph_hashes(store)
    there = {
        name: row.content for name, row in rows.items() if row.content is not None and _is(row.content, name, noted)
    }
    return Exhibits(there, {name: row.why_not or OTHER for name, row in rows.items() if name not in there})


def keep_exhibits(
    store: OofStore, wanted: Sequence[str], settings: DataSettings, competition: Competition | None = None
) -> Exhibits:
    """Keep exactly these photographs in the store (`split/name`), as far as they can be had.

    What is missing is taken from `competition`, or else from where training read it, if that is on this machine; a
    place in which they were not found is not searched again until it changes. With nothing missing nothing is read.

    Raises
    ------
    OSError, UserError
        They could not be stored.
    """
    before, noted = _read(store), read_photograph_hashes(store)
    rows = {name: row for name in wanted if (row := before.get(name)) and _is(row.content, name, noted)}
    missing = [name for name in wanted if name not in rows]
    if missing:
        rows |= _fetch(
            store, missing, settings, competition, {name: before[name] for name in missing if name in before}
        )
    ordered = {name: rows[name] for name in wanted}
    if ordered != before:
        _write(store, ordered)
    return read_exhibits(store)


def _fetch(
    store: OofStore,
    missing: list[str],
    settings: DataSettings,
    competition: Competition | None,
    before: Mapping[str, _Row],
) -> dict[str, _Row]:
    """Rows of photographs that the store does not hold."""
    noted = read_photograph_hashes(store)
    source, place = _place(store)
    looked = all(place == row.looked_in for row in before.values()) and len(before) == len(missing)
    if competition is None and (source is None or looked):
        return {name: before.get(name) or _Row(None, GONE, "") for name in missing}
    try:
        competition = competition or Competition.open(source or Path(), settings)
    except UserError as error:
        return dict.fromkeys(missing, _Row(None, str(error).splitlines()[0], place))
    found = dict(zip(competition.identities, competition.encoded, strict=True))
    return {name: _row(found.get(name), name, noted, place) for name in missing}


def _row(content: bytes | None, name: str, noted: Mapping[str, str], place: str) -> _Row:
    if _is(content, name, noted):
        return _Row(content, "", "")
    return _Row(None, OTHER if noted else NOT_NOTED, place)


def _is(content: bytes | None, name: str, noted: Mapping[str, str]) -> bool:
    return content is not None and hashlib.sha256(content).hexdigest() == noted.get(name)


def _place(store: OofStore) -> tuple[Path | None, str]:
    """Where training read, if that is a place on this machine that is still there; and when it was changed."""
    try:
        source = location(store.facts()["source"])
        if isinstance(source, Path):
            return source, f"{source.resolve()} {source.stat().st_mtime_ns}"
    except (OSError, UserError, KeyError, TypeError, ValueError):
        pass
    return None, ""


def _read(store: OofStore) -> dict[str, _Row]:
    try:
        with local_copy(store.root / EXHIBITS) as local:
            table = parquet.read_table(local, schema=_SCHEMA, use_threads=False)
    except (OSError, pa.ArrowException):
        return {}
    rows: list[dict[str, Any]] = table.to_pylist()
    return {row["photograph"]: _Row(row["content"], row["why_not"], row["looked_in"]) for row in rows}


def _write(store: OofStore, rows: Mapping[str, _Row]) -> None:
    content = [
        {"photograph": name, "content": row.content, "why_not": row.why_not, "looked_in": row.looked_in}
        for name, row in rows.items()
    ]
    remove_unfinished(store.root, EXHIBITS)
    with new_file(store.root / EXHIBITS) as temporary:
        parquet.write_table(pa.Table.from_pylist(content, schema=_SCHEMA), temporary, compression="none")
