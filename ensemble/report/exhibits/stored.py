"""The few photographs that a report shows, stored as the competition has them: a page needs no archive.

Each is compared with the checksum that training noted: another photograph of the same name is never shown.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import DataSettings
from ensemble.core.errors import UserError
from ensemble.core.storage.files import local_copy, location, new_file, remove_unfinished
from ensemble.report.exhibits.selection import choose, photographs_of
from ensemble.report.facts.material import Material
from ensemble.store.oof import OofStore
from ensemble.store.opening import read_photograph_hashes

EXHIBITS = "exhibits.parquet"
_SCHEMA = pa.schema(
    [("photograph", pa.string()), ("content", pa.binary()), ("why_not", pa.string()), ("looked_in", pa.string())]
)
NOT_NOTED = "training noted no checksums of the photographs"
OTHER = "other photographs lie there now"
GONE = "the photographs are not where training read them"
ELSEWHERE = "they are at an address, which a report does not read by itself: run ensemble train again"


@dataclass(frozen=True)
class Exhibits:
    """Photographs of one report.

    Attributes
    ----------
    contents : dict of str to bytes
        The files, by `split/name`.
    missing : dict of str to str
        The reason for each photograph that is not available.
    """

    contents: dict[str, bytes] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    content: bytes | None
    why_not: str
    looked_in: str  # path and time of its last change: it is not searched again for each report


def store_photographs(material: Material, competition: Competition | None = None) -> str:
    """Store the photographs that the report shows. Return a sentence about those that are missing; raise nothing.

    `competition` is where the photographs are taken from, if it is open already.
    """
    try:
        store, settings = material.store, material.experiment.data
        found = update_exhibits(store, photographs_of(choose(material)), settings, competition)
    except (Exception, SystemExit) as error:  # a run of hours must not end in a picture's fault
        return f"{EXHIBITS} could not be made, so the report shows fewer ({type(error).__name__}: {error})"
    count = len(found.contents) + len(found.missing)
    return missing_note(list(found.missing.values()), count, f"ensemble report {material.store.root} --data PATH")


def missing_note(reasons: list[str], count: int, command: str) -> str:
    """Return a sentence about those of `count` photographs that are missing, and the remedy; empty for none."""
    if not reasons:
        return ""
    why = "; ".join(reason for reason, _ in Counter(reasons).most_common())
    return (
        f"{len(reasons)} of {count} photographs are not shown ({why}): {command} shows them, PATH being the competition"
    )


def read_exhibits(store: OofStore) -> Exhibits:
    """Read the stored photographs, each compared with the checksum that training noted."""
    rows, noted = _read(store), read_photograph_hashes(store)
    intact = {
        name: row.content for name, row in rows.items() if row.content is not None and _is(row.content, name, noted)
    }
    return Exhibits(intact, {name: row.why_not or OTHER for name, row in rows.items() if name not in intact})


def update_exhibits(
    store: OofStore, photographs: Sequence[str], settings: DataSettings, competition: Competition | None = None
) -> Exhibits:
    """Store exactly these photographs (`split/name`), as far as they are available.

    What is missing is taken from `competition`, or else from where training read it, if that is on this machine; a
    path in which they were not found is not searched again until it changes. With nothing missing nothing is read.

    Raises
    ------
    OSError, UserError
        They could not be stored.
    """
    before, noted = _read(store), read_photograph_hashes(store)
    rows = {name: row for name in photographs if (row := before.get(name)) and _is(row.content, name, noted)}
    missing = [name for name in photographs if name not in rows]
    if missing:
        known = {name: before[name] for name in missing if name in before}
        rows |= _fetch(store, missing, settings, competition, known, noted)
    ordered = {name: rows[name] for name in photographs}
    if ordered != before:
        _write(store, ordered)
    return read_exhibits(store)


def _fetch(
    store: OofStore,
    missing: list[str],
    settings: DataSettings,
    competition: Competition | None,
    before: Mapping[str, _Row],
    noted: Mapping[str, str],
) -> dict[str, _Row]:
    """Return rows for the photographs that the store does not hold."""
    source, stamp = _source(store)
    gone = ELSEWHERE if "://" in str(store.facts().get("source", "")) else GONE
    looked = all(stamp == row.looked_in for row in before.values()) and len(before) == len(missing)
    if competition is None and (source is None or looked):
        return {name: before.get(name) or _Row(None, gone, "") for name in missing}
    try:
        competition = competition or Competition.open(source or Path(), settings)
    except UserError as error:
        return dict.fromkeys(missing, _Row(None, str(error).splitlines()[0], stamp))
    places = {name: row for row, name in enumerate(competition.identities)}
    found = {name: competition.encoded[places[name]] for name in missing if name in places}
    return {name: _row(found.get(name), name, noted, stamp) for name in missing}


def _row(content: bytes | None, name: str, noted: Mapping[str, str], stamp: str) -> _Row:
    if _is(content, name, noted):
        return _Row(content, "", "")
    return _Row(None, OTHER if noted else NOT_NOTED, stamp)


def _is(content: bytes | None, name: str, noted: Mapping[str, str]) -> bool:
    return content is not None and hashlib.sha256(content).hexdigest() == noted.get(name)


def _source(store: OofStore) -> tuple[Path | None, str]:
    """Return the path that training read, if it is still on this machine, and a stamp of its last change."""
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
