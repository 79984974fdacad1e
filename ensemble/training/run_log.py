"""runs.json: what each run of the driver cost, so that overheads can be separated from the members' own work."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, write_text
from ensemble.core.storage.json_file import read_json
from ensemble.engine.base import Engine
from ensemble.store.oof import OofStore
from ensemble.training.plan import Plan

_MOST = 50  # runs, the last ones, whose entries are kept


def write_run(
    store: OofStore, started: float, engine: Engine, slots: float, plan: Plan, history: list[dict[str, Any]]
) -> None:
    """Append a run, which started at `started` (seconds since the epoch), to the store's runs.json.

    `history` are summaries of the outcomes of its tasks. `share_outside_members` is the share of wall time in which no
    member was in its own fit or predict_proba; `share_of_slots_idle` counts every CPU (`slots`) by itself, and so
    start-up, stragglers and the last fold too.
    """
    path = store.root / "runs.json"
    wall = time.time() - started
    records = [record for member, fold in plan.missing if (record := store.record(member.name, fold))]
    records = [record for record in records if record.started >= started]
    in_members = _covered(sorted((record.started, record.finished) for record in records), started)
    busy = sum(record.seconds * (record.threads if engine.has_workers else 1) for record in records)
    run = {
        "engine": engine.name,
        "started": started,
        "seconds": wall,
        "slots": slots,
        "seconds_in_members": in_members,
        "share_outside_members": 1 - in_members / wall,
        "share_of_slots_idle": 1 - busy / (wall * slots),
        "timeline": history,
        "folds": [f"{record.member}/fold-{record.fold}" for record in records],
    }
    with suppress(OSError, UserError):  # a full disk, say: a log is not worth failing for
        write_text(path, json.dumps([*_earlier(path), run][-_MOST:], indent=1) + "\n")


def _earlier(path: Location) -> list[Any]:
    """Return the log of earlier runs; one that cannot be read is not worth failing for."""
    try:
        return read_json(path, list)
    except (OSError, ValueError):
        return []


def _covered(spans: list[tuple[float, float]], since: float) -> float:
    """Return the seconds that at least one of the spans covers; the spans are sorted."""
    covered, reached = 0.0, since
    for begin, end in spans:
        covered += max(end - max(begin, reached), 0.0)
        reached = max(reached, end)
    return covered
