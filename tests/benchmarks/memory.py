"""Memory of a whole run and its growth with the number of photographs: the driver, and all processes together.

`make bench NAME=memory`: members of `configs/cpu.yaml` on synthetic competitions of 5,000 and of 20,000 photographs, on
Ray, half an hour on two cores. `ARGS=forensics` trains the booster alone on 100,000. Shared pages count once for all
processes together (PSS) and in full for the driver alone (RSS).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

GIB = 2**30
CONFIG = "configs/cpu.yaml"
SIZES = {
    "competition": ("lite1_at_384,boosted_forensics", [(2_000, 3_000), (8_000, 12_000)]),
    "forensics": ("boosted_forensics", [(60_000, 40_000)]),
}
GOALS = {
    "competition": {"driver_gib": 1.0, "all_gib": 5.0, "time_over_linear": 1.1},
    "forensics": {"driver_gib": 1.5},
}


def demo(folder: Path, train: int, test: int) -> Path:
    """Write a synthetic competition."""
    command = [sys.executable, "-m", "ensemble", "demo", str(folder), "--train", str(train), "--test", str(test)]
    assert psutil.Popen(command).wait() == 0
    return folder


def measure(data: Path, oof: Path, members: str) -> dict[str, float]:
    """Train; return seconds, and the largest memory of the driver and of all processes, in GiB."""
    command = [sys.executable, "-m", "ensemble.train", CONFIG, "--data", str(data), "--oof", str(oof)]
    started, driver, everybody = time.monotonic(), 0, 0
    process = psutil.Popen([*command, "--members", members])
    while process.poll() is None:
        with suppress(psutil.Error):  # it may have ended since
            driver = max(driver, process.memory_info().rss)
            everybody = max(everybody, sum(map(_shared_once, [process, *process.children(recursive=True)])))
        time.sleep(0.5)
    assert process.wait() == 0
    return {"seconds": time.monotonic() - started, "driver_gib": driver / GIB, "all_gib": everybody / GIB}


def _shared_once(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def main(which: str) -> None:
    members, sizes = SIZES[which]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for train, test in sizes:
            data = demo(Path(temporary) / f"data-{train}", train, test)
            rows.append({"photographs": train + test, **measure(data, Path(temporary) / f"oof-{train}", members)})
            print(json.dumps(rows[-1]), flush=True)  # noqa: T201
    first, last = rows[0], rows[-1]
    figures = {
        **last,
        "time_over_linear": last["seconds"] / first["seconds"] * first["photographs"] / last["photographs"],
    }
    report = {
        name: {"value": figures[name], "goal": goal, "met": figures[name] <= goal}
        for name, goal in GOALS[which].items()
    }
    print(json.dumps({"figures": report, "rows": rows, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "competition")
