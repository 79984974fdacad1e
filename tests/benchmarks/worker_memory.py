"""Memory of four workers beyond that of the model: photographs are shared, not copied.

`make bench NAME=worker_memory`. Watches the private memory (USS) of Ray's workers while they train on many
photographs, and that of one process that trains the same network with the same batches on a few and predicts some.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import ray

from ensemble.config.reading import load_experiment
from ensemble.store.oof import OofStore
from ensemble.train import train
from tests.competitions import write_competition

TRAIN, FEW, PREDICTED, WORKERS, SIDE = 2500, 64, 320, 4, 256  # a fold predicts enough for a graph to be made
MIB = 2**20
GOAL = 0.1  # of the photographs' bytes, for each worker
CONFIG = f"""
name: memory
folds: {{n_folds: {WORKERS}}}
members:
  - name: small
    model: {{use: members.cnn.ImageClassifier, backbone: test_efficientnet, weights: none, epochs: 2, batch_size: 16}}
"""
ALONE = f"""
import numpy as np, torch
from members.cnn import ImageClassifier
torch.set_num_threads(1)
X = np.random.default_rng(0).integers(0, 256, ({PREDICTED}, {SIDE}, {SIDE}, 3), dtype=np.uint8)
model = ImageClassifier(backbone="test_efficientnet", weights="none", epochs=20, batch_size=16)
model.fit(X[:{FEW}], np.arange({FEW}) % 2).predict_proba(X)
"""


class Watch(threading.Thread):
    """Notes the largest private memory of every child process whose command line holds a word, and shared memory."""

    def __init__(self, word: str) -> None:
        super().__init__(daemon=True)
        self.word, self.peaks, self.ended = word, defaultdict(int), threading.Event()
        self.shared_before = self.shared_peak = psutil.virtual_memory().shared

    def run(self) -> None:
        while not self.ended.wait(0.1):
            self.shared_peak = max(self.shared_peak, psutil.virtual_memory().shared)
            for process in psutil.Process().children(recursive=True):
                try:
                    if self.word in " ".join(process.cmdline()):
                        self.peaks[process.pid] = max(self.peaks[process.pid], process.memory_full_info().uss)
                except psutil.Error:
                    continue  # it has ended


def workers_peaks(folder: Path) -> list[float]:
    """MiB of each worker that trained a fold."""
    data = write_competition(folder / "data", TRAIN, 10, size=SIDE, suffix=".jpg")
    config = folder / "memory.yaml"
    config.write_text(CONFIG)
    experiment = load_experiment(config)
    ray.init = partial(ray.init, num_cpus=WORKERS)  # more workers than this machine may have cores
    watch = Watch("ray::")
    watch.start()
    assert train(experiment, list(experiment.members), data, OofStore(folder / "oof" / "memory"), "ray")
    watch.ended.set()
    return sorted((peak / MIB for peak in watch.peaks.values()), reverse=True)[:WORKERS]


def alone_peak() -> float:
    """MiB of a process that trains the network on a few photographs and predicts some, without these."""
    process = psutil.Popen([sys.executable, "-c", ALONE], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        with suppress(psutil.Error):  # it may have ended since
            peak = max(peak, process.memory_full_info().uss)
        time.sleep(0.1)
    return (peak - PREDICTED * SIDE * SIDE * 3) / MIB


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        peaks = workers_peaks(Path(temporary))
    alone = alone_peak()
    photographs = TRAIN * SIDE * SIDE * 3 / MIB
    beyond = max(peaks) - alone
    print(f"photographs {photographs:.0f} MiB; alone {alone:.0f} MiB; workers {np.round(peaks)} MiB")  # noqa: T201
    share = beyond / photographs
    goal = {"value": share, "goal": GOAL, "met": share <= GOAL}
    figures = {"photographs_mib": photographs, "alone_mib": alone, "workers_mib": peaks, "beyond_mib": beyond}
    print(json.dumps({"benchmark": "worker_memory", "share of the photographs": goal, **figures, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
