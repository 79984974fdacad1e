"""Frozen networks over photographs: ONNX Runtime beside torch, each in a process of its own, in turn.

`make bench NAME=frozen_features [ARGS=/path/to/an/older/checkout]`; ten minutes. An older checkout is measured beside
this one, in this environment. Photographs are noise of 256 px; both views of each are computed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

NETWORKS: dict[str, dict[str, Any]] = {
    "lite2, stride 1": {"backbone": "tf_efficientnet_lite2", "stem_stride": 1},
    "lite1, stride 1": {"backbone": "tf_efficientnet_lite1", "stem_stride": 1},
    "lite2": {"backbone": "tf_efficientnet_lite2"},
    "lite1": {"backbone": "tf_efficientnet_lite1"},
    "lite1 at 512 px": {"backbone": "tf_efficientnet_lite1", "enlarge": 512},
    "lite0 at 384 px": {"backbone": "tf_efficientnet_lite0", "enlarge": 384},
}
OF_BEFORE = 4  # networks that cpu.yaml had before `enlarge`
PHOTOGRAPHS, TIMES = 24, 3
GOALS = {"times the older checkout": 2.2, "peak of a worker, MB": 900.0, "largest relative difference": 1e-5}
_SCRIPT = """
import json, resource, sys, time
import numpy as np
from members.embedding import FrozenEmbedding
options = json.loads(sys.argv[1])
X = np.random.default_rng(0).integers(0, 256, (int(sys.argv[2]), 256, 256, 3), dtype=np.uint8)
network = FrozenEmbedding(
    weights="packaged", layers=["blocks.2", "blocks.3", "blocks.4"], statistics=["mean", "log_covariance"], **options
)
network.transform(X[:2])
begun = time.perf_counter()
table = network.transform(X)
spent = time.perf_counter() - begun
np.save(sys.argv[3], table)
print(json.dumps([spent / len(X), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6]))
"""


def measured(code: str, options: dict[str, Any], threads: int, table: Path) -> tuple[float, float]:
    """Seconds a photograph, and the peak memory of the process in MB."""
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, "-c", _SCRIPT, json.dumps(options), str(PHOTOGRAPHS), str(table)]
    environment = {**os.environ, **variables, "PYTHONPATH": code}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=code)
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def main(older: str | None) -> None:
    """Print a line for each network and number of threads, and the figures as JSON."""
    folder, here = tempfile.TemporaryDirectory(), os.getcwd()
    table = Path(folder.name) / "table.npy"
    engines = {"onnxruntime": (here, {"engine": "onnxruntime"}), "torch": (here, {"engine": "torch"})}
    engines |= {"older": (older, {})} if older else {}
    sums: dict[str, float] = dict.fromkeys(engines, 0.0)
    peak, worst = 0.0, 0.0
    for place, (title, options) in enumerate(NETWORKS.items()):
        for threads in (1, 2):
            spent: dict[str, list[float]] = {engine: [] for engine in engines}
            memory: dict[str, float] = {}
            tables = {}
            for _ in range(TIMES):
                for engine, (code, more) in engines.items():
                    if engine == "older" and place >= OF_BEFORE:
                        continue
                    seconds, memory[engine] = measured(str(code), {**options, **more}, threads, table)
                    spent[engine].append(seconds)
                    tables[engine] = np.load(table)
            expected = tables["torch"]
            worst = max(worst, float(np.abs(tables["onnxruntime"] - expected).max() / np.abs(expected).max()))
            peak = max(peak, memory["onnxruntime"])
            for engine, values in spent.items():
                if values:
                    print(  # noqa: T201
                        f"{title:18} {threads} thread(s)  {engine:12} {1000 * np.median(values):7.1f} ms "
                        f"({1000 * min(values):.1f} to {1000 * max(values):.1f})  peak {memory[engine]:6.0f} MB"
                    )
                    if threads == 1 and place < OF_BEFORE:
                        sums[engine] += float(np.median(values))
    folder.cleanup()
    found = {
        "peak of a worker, MB": peak,
        "largest relative difference": worst,
        "times torch": sums["torch"] / sums["onnxruntime"],
    }
    if older:
        found["times the older checkout"] = sums["older"] / sums["onnxruntime"]
    figures: dict[str, dict[str, Any]] = {}
    for name, value in found.items():
        goal = GOALS.get(name)
        met = None if goal is None else (value >= goal if name.startswith("times") else value <= goal)
        figures[name] = {"value": value} | ({} if goal is None else {"goal": goal, "met": met})
    print(json.dumps({"benchmark": "frozen_features", "figures": figures}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
