"""`ensemble blend` as a whole process, one thread: 20 members, 70,000 out-of-fold and 70,000 test rows.

`make bench NAME=blend ARGS=command`. The store is as a run leaves it: the members' own reports are written already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.blend.worlds import report, write_store

MEMBERS, ROWS = 20, 70_000
GOALS = {"imports": 1.5, "without Optuna": 5.0, "all": 15.0}
SUBMITTED = "submission without Optuna"  # the report is written after it
TIMES = 3
_IMPORTS = "import ensemble.blend.__main__, ensemble.blend.run, ensemble.blend.page, ensemble.report"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def seconds(*arguments: object) -> float:
    return until_submission_and_end(*arguments)[1]


def until_submission_and_end(*arguments: object) -> tuple[float, float]:
    """Run Python; return the seconds until it says where the submission is, and until its end."""
    begun = submitted = time.perf_counter()
    command, environment = [sys.executable, *map(str, arguments)], {**os.environ, **_ONE_THREAD}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout or ():
            if line.startswith("submission:"):
                submitted = time.perf_counter()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return submitted - begun, time.perf_counter() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "oof" / "simulated", MEMBERS, ROWS, ROWS)
        seconds("-m", "ensemble.report", store.root)
        spent: dict[str, list[float]] = {title: [] for title in ("bare Python", SUBMITTED, *GOALS)}
        for _ in range(TIMES):
            shutil.rmtree(store.blend_folder, ignore_errors=True)
            spent["bare Python"].append(seconds("-c", "pass"))
            spent["imports"].append(seconds("-c", _IMPORTS))
            submitted, ended = until_submission_and_end("-m", "ensemble.blend", store.root, "--quick")
            spent[SUBMITTED].append(submitted)
            spent["without Optuna"].append(ended)
            shutil.rmtree(store.blend_folder)
            spent["all"].append(seconds("-m", "ensemble.blend", store.root))
    figures: dict[str, dict[str, object]] = {}
    for title, values in spent.items():
        value, goal = float(np.median(values)), GOALS.get(title)
        figures[f"{title}, s"] = {"value": value, **({} if goal is None else {"goal": goal, "met": value < goal})}
        print(f"{title:20} {value:6.2f} s ({min(values):.2f} to {max(values):.2f})   goal {goal or '-'}")  # noqa: T201
    report("blend command", figures, [])
