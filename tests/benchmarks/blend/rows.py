"""Time and memory of the whole command as rows grow: 20 members at 10^4, 10^5 and 10^6, then 100 members at 10^6.

`make bench NAME=blend ARGS=rows`; a quarter of an hour, 3 GB of disk. The matrix is float32, out-of-fold and test.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.blend.worlds import report, write_store

SIZES = [(20, 10_000), (20, 100_000), (20, 1_000_000), (100, 1_000_000)]
TEST_ROWS = 10_000
MOST_MEMORY = 2.5  # of the largest matrix
LINEAR = 1.5  # ten times the rows may take ten times the seconds, and half as much again
_TIMED = "import resource, runpy, sys, time; b = time.perf_counter(); sys.argv = ['ensemble.blend', sys.argv[1]]\n" + (
    "try: runpy.run_module('ensemble.blend', run_name='__main__')\n"
    "except SystemExit as end: assert not end.code\n"
    "print('MEASURED', time.perf_counter() - b, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
)


def measured(store: Path) -> tuple[float, float]:
    """Seconds and peak bytes of one blend."""
    output = subprocess.run([sys.executable, "-c", _TIMED, str(store)], check=True, capture_output=True, text=True)
    found = re.search(r"MEASURED (\S+) (\S+)", output.stdout)
    assert found is not None, output.stdout
    return float(found[1]), float(found[2])


def main() -> None:
    figures: dict[str, dict[str, object]] = {}
    before: float | None = None
    for members, rows in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            store = write_store(Path(folder) / "oof" / "simulated", members, rows, TEST_ROWS)
            spent, peak = measured(store.root)
        matrix = members * (rows + TEST_ROWS) * 4
        title = f"{members} x {rows:,}"
        figures[f"{title}: s"] = {"value": spent}
        if before is not None and members == SIZES[0][0]:
            growth = spent / before
            figures[f"{title}: times the seconds of a tenth"] = {
                "value": growth,
                "goal": 10 * LINEAR,
                "met": growth < 10 * LINEAR,
            }
        share = peak / matrix
        goal = {"goal": MOST_MEMORY, "met": share <= MOST_MEMORY} if (members, rows) == SIZES[-1] else {}
        figures[f"{title}: peak memory over the matrix"] = {"value": share, **goal}
        print(f"{title:16} {spent:8.1f} s   peak {peak / 2**20:7.0f} MiB, {share:6.2f} of the matrix")  # noqa: T201
        before = spent
    report("blend rows", figures, [])
