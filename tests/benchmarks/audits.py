"""Faults planted in competitions, found and missed by the audits: `make bench NAME=audits` (ARGS="seeds").

Each fault is planted alone into a clean synthetic competition, with several seeds and sizes. Found: the audit that is
there for it says look or alarm. A false alarm: another audit does, or any on a clean competition. How easily the
classes are separated decides what can be found: so there are clean ones with few fakes and with a faint trace, too.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ensemble.store.checks import Check
from tests.planted import FAINT, FAULTS, STRONG, Fault, audited, draft, finish

SEEDS = 5
SIZES = (120, 240, 480)  # training photographs; half as many in test
CLEAN = 2  # times as many seeds for competitions without a fault
LOUD = ("look", "alarm")


@dataclass(frozen=True)
class Kind:
    """What the competitions of a row are like, beside their size."""

    fault: str | None = None
    fakes: float = 0.5
    trace: float = STRONG

    @property
    def planted(self) -> Fault | None:
        return FAULTS[self.fault] if self.fault else None

    def __str__(self) -> str:
        few = f", {self.fakes:.0%} fakes" if self.fakes != 0.5 else ""
        return (self.fault or "none") + few + (", faint trace" if self.trace != STRONG else "")


MODELS = ("shuffled labels", "another generator in test")  # faults that only a model finds: these need the rows
KINDS = (
    *(Kind(fault, fakes) for fault in (None, *MODELS) for fakes in (0.5, 0.2)),
    Kind(None, 0.5, FAINT),
    Kind(None, 0.2, FAINT),
    *(Kind(fault) for fault in FAULTS if fault not in MODELS),
)


@dataclass
class Row:
    """What came of a kind at one size."""

    kind: str
    photographs: int
    competitions: int
    found: int
    false: Counter[str]


def checks_of(kind: Kind, seed: int, photographs: int) -> dict[str, Check]:
    made = draft(seed, photographs, photographs // 2, kind.fakes, kind.trace)
    if kind.planted:
        kind.planted.plant(made)
    with tempfile.TemporaryDirectory() as folder:
        return audited(finish(made), Path(folder))


def measured(kind: Kind, photographs: int, seeds: int) -> Row:
    fault, competitions = kind.planted, seeds if kind.fault else CLEAN * seeds
    row = Row(str(kind), photographs, competitions, 0, Counter())
    for seed in range(competitions):
        checks = checks_of(kind, seed, photographs)
        loud = {check.id for check in checks.values() if check.verdict in LOUD}
        row.found += bool(fault and fault.found_by in loud)
        row.false.update(loud - ({fault.found_by, *fault.also} if fault else set()))
    return row


def line(rows: list[Row], planted: bool) -> str:
    """One line of a Markdown table: a number for each size."""

    def joined(values: list[int]) -> str:
        return " / ".join(map(str, values))

    numbers = [joined([row.competitions for row in rows]), joined([row.found for row in rows])]
    numbers.append(joined([row.competitions - row.found for row in rows]))
    names = sorted({name for row in rows for name in row.false})
    false = ", ".join(f"{name} {joined([row.false[name] for row in rows])}" for name in names) or "0"
    return f"| {' | '.join([rows[0].kind, *(numbers if planted else [numbers[0], '-', '-']), false])} |"


def main(seeds: int = SEEDS) -> None:
    begun, rows = time.perf_counter(), list[Row]()
    sizes = " / ".join(map(str, SIZES))
    print(f"| fault | planted, of {sizes} photographs | found | missed | false alarms of others |")  # noqa: T201
    print("| --- | --- | --- | --- | --- |")  # noqa: T201
    for kind in KINDS:
        of_kind = [measured(kind, size, seeds) for size in SIZES]
        rows += of_kind
        print(line(of_kind, kind.fault is not None), flush=True)  # noqa: T201
    missed = sum(row.competitions - row.found for row in rows if not row.kind.startswith("none"))
    wrong = sum(sum(row.false.values()) for row in rows)
    goals = {name: {"value": n, "goal": 0, "met": n == 0} for name, n in (("missed", missed), ("false alarms", wrong))}
    results = [{**vars(row), "false": dict(row.false)} for row in rows]
    seconds = time.perf_counter() - begun
    print(json.dumps({"benchmark": "audits", **goals, "seconds": seconds, "rows": results, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
