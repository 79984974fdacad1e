"""Faults planted in competitions, found and missed by the audits: `make bench NAME=audits` (ARGS="seeds photographs").

Each fault is planted alone into a clean synthetic competition, with several seeds. Found: the audit that is there for
it says look or alarm. A false alarm: another audit does, or any on a clean competition.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ensemble.audit.check import Check
from tests.planted import FAULTS, Draft, audited, draft, finish

SEEDS, PHOTOGRAPHS = 5, 480  # half as many in test
LOUD = ("look", "alarm")


def found_in(plant: Callable[[Draft], None] | None, seed: int, photographs: int) -> dict[str, Check]:
    made = draft(seed, photographs, photographs // 2)
    if plant is not None:
        plant(made)
    with tempfile.TemporaryDirectory() as folder:
        return audited(finish(made), Path(folder))


def main(seeds: int = SEEDS, photographs: int = PHOTOGRAPHS) -> None:
    begun, rows = time.perf_counter(), []
    for name, fault in [("none: a clean competition", None), *FAULTS.items()]:
        found, false = 0, Counter[str]()
        for seed in range(seeds):
            checks = found_in(fault.plant if fault else None, seed, photographs)
            loud = {check.id for check in checks.values() if check.verdict in LOUD}
            found += bool(fault and fault.found_by in loud)
            false.update(loud - ({fault.found_by, *fault.also} if fault else set()))
        planted = seeds if fault else 0
        rows.append(
            {"fault": name, "planted": planted, "found": found, "missed": planted - found, "false": dict(false)}
        )
        told = ", ".join(f"{name} {count}" for name, count in false.items()) or "-"
        print(f"{name:32} | {planted:7} | {found:5} | {planted - found:6} | {told}")  # noqa: T201
    missed, wrong = sum(row["missed"] for row in rows), sum(sum(row["false"].values()) for row in rows)
    goals = {name: {"value": n, "goal": 0, "met": n == 0} for name, n in (("missed", missed), ("false alarms", wrong))}
    seconds = time.perf_counter() - begun
    print(json.dumps({"benchmark": "audits", **goals, "seconds": seconds, "rows": rows, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
