"""runs.json: what each run of the driver cost, so that overheads can be told from the members' own work."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, write_text
from ensemble.store.oof import OofStore
from ensemble.store.record import FoldRecord
from ensemble.training.plan import Plan
from ensemble.training.timeline import Timeline


def note_run(store: OofStore, started: float, engine: str, slots: float, plan: Plan, timeline: Timeline) -> None:
    """Append one run of the driver.

    `share_outside_members` is the share of wall time in which no member was in its own fit or predict_proba;
    `share_of_slots_idle` counts every CPU (`slots`) by itself, and so start-up, stragglers and the last fold too.
    """
    path = store.root / "runs.json"
    runs = _earlier(path)
    wall = time.time() - started
    records = _fresh_records(store, plan, started)
    in_members = _covered(sorted((record.started, record.finished) for record in records), started)
    busy = sum(record.seconds * record.threads for record in records)
    runs.append(
        {
            "engine": engine,
            "started": started,
            "seconds": wall,
            "slots": slots,
            "seconds_in_members": in_members,
            "share_outside_members": 1 - in_members / wall,
            "share_of_slots_idle": 1 - busy / (wall * slots),
            "timeline": timeline.entries,
            "folds": [f"{record.member}/fold-{record.fold}" for record in records],
        }
    )
    with suppress(OSError, UserError):  # a full disk, say: notes are not worth failing for
        write_text(path, json.dumps(runs, indent=1) + "\n")


def _earlier(path: Location) -> list[Any]:
    """What earlier runs noted; notes that cannot be read are not worth failing for."""
    try:
        return list(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return []


def _fresh_records(store: OofStore, plan: Plan, since: float) -> list[FoldRecord]:
    records = (store.record(member.name, fold) for member, fold in plan.missing)
    return [record for record in records if record is not None and record.started >= since]


def _covered(spans: list[tuple[float, float]], since: float) -> float:
    """Seconds that at least one of the spans covers; the spans are sorted."""
    covered, reached = 0.0, since
    for begin, end in spans:
        covered += max(end - max(begin, reached), 0.0)
        reached = max(reached, end)
    return covered
