"""Time and memory of the forensic features of many photographs, through Ray on all cores.

`make bench NAME=forensic_scale`. The photographs are in a file that is mapped into memory, as many as a
competition has and half of them: twice as many should take twice the time and the same memory, but for the table.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.config.settings import Recipe
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.features.cache import CHUNK
from ensemble.engine.features.tables import compute_features
from ensemble.engine.ray_engine import RayEngine
from tests.benchmarks.forensic_features import SIDE, photographs
from tests.benchmarks.worker_memory import MIB, Watch

COUNTS = (10_000, 20_000)
GOAL = 2.2  # times the time for twice the photographs


def mapped(path: Path, count: int) -> NDArray[np.uint8]:
    """Photographs with noise of their own, so that no two are one in the cache."""
    few, rng = photographs(), np.random.default_rng(0)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE, 3))
    for start in range(0, count, CHUNK):
        chunk = X[start : start + CHUNK]
        noise = rng.integers(0, 4, chunk.shape[1:], dtype=np.uint8)
        chunk[:] = few[np.arange(start, start + len(chunk)) % len(few)] // 2 + noise
    X.flush()
    return X


def measured(X: NDArray[np.uint8], cache: Path) -> dict[str, float]:
    recipe = Recipe(use="members.forensics.ForensicFeatures")
    watch = Watch("ray::")
    watch.start()
    with RayEngine() as engine:
        begun = time.perf_counter()
        table = compute_features(recipe, X, engine, cache, ProgressBoard())
        seconds = time.perf_counter() - begun
    watch.ended.set()
    return {
        "photographs": len(X),
        "columns": table.shape[1],
        "seconds": seconds,
        "photographs a second": len(X) / seconds,
        "worker's peak, MiB": max(watch.peaks.values()) / MIB,
        "object store's peak, MiB": (watch.shared_peak - watch.shared_before) / MIB,
        "table, MiB": table.nbytes / MIB,
    }


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        X = mapped(Path(temporary) / "photographs.npy", max(COUNTS))
        for count in COUNTS:
            rows.append(measured(X[:count], Path(temporary) / f"cache-{count}"))
            print(rows[-1])  # noqa: T201
    ratio = rows[1]["seconds"] / rows[0]["seconds"]
    goals = {"time of twice the photographs": {"value": ratio, "goal": GOAL, "met": ratio <= GOAL}}
    print(json.dumps({"benchmark": "forensic_scale", **goals, "rows": rows, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
