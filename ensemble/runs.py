"""runs.json: what each run of the driver cost, so that overheads can be told from the members' own work."""

from __future__ import annotations

import json
import time

from ensemble.files import write_text
from ensemble.oof import OofStore
from ensemble.plan import Plan


def note_run(store: OofStore, started: float, engine: str, plan: Plan) -> None:
    """Append to `runs.json` what this run cost, so that overheads can be told from the members' own work."""
    path = store.root / "runs.json"
    runs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    busy = _busy_seconds(store, plan, started)
    wall = time.time() - started
    runs.append(
        {
            "engine": engine,
            "started": started,
            "seconds": wall,
            "seconds_in_members": busy,
            "share_outside_members": 1 - busy / wall,
            "folds": [f"{member.name}/fold-{fold}" for member, fold in plan.missing],
        }
    )
    write_text(path, json.dumps(runs, indent=1) + "\n")


def _busy_seconds(store: OofStore, plan: Plan, since: float) -> float:
    """Seconds during which at least one member was in its own fit or predict_proba."""
    records = [store.record(member.name, fold) for member, fold in plan.missing]
    spans = sorted((r.started, r.finished) for r in records if r is not None and r.started >= since)
    busy, reached = 0.0, since
    for begin, end in spans:
        busy += max(end - max(begin, reached), 0.0)
        reached = max(reached, end)
    return busy
