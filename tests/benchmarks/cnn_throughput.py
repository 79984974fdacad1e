"""How many photographs a second ImageClassifier trains on, against the plain loops that one would write by hand.

One thread unless told otherwise: `python tests/benchmarks/cnn_throughput.py [threads]`. The photographs are noise;
speed does not depend on what they show.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import timm
import torch
from torch.nn import functional

from members.cnn import ImageClassifier
from members.training import Arithmetic

BACKBONE, SIDE, BATCH, BATCHES = "tf_efficientnet_lite0", 256, 16, 3
GOAL_AGAINST_PLAIN = 1.2  # times the contiguous float32 loop
GOAL_AGAINST_BEST = 0.9  # of the best hand-written loop: what the estimator may cost


def photographs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (BATCH * BATCHES, SIDE, SIDE, 3), dtype=np.uint8)
    return X, np.arange(len(X)) % 2


def by_classifier(X: np.ndarray, y: np.ndarray) -> float:
    model = ImageClassifier(backbone=BACKBONE, weights="none", epochs=2, batch_size=BATCH, device="cpu", random_state=0)
    return float(model.fit(X, y).history_[-1]["photographs_per_second"])


def by_hand(X: np.ndarray, y: np.ndarray, dtype: torch.dtype, layout: torch.memory_format) -> float:
    network = timm.create_model(BACKBONE, num_classes=2).to(memory_format=layout).train()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    best = 0.0
    for start in range(0, len(X), BATCH):
        began = time.perf_counter()
        pixels = torch.from_numpy(X[start : start + BATCH]).permute(0, 3, 1, 2).float().contiguous(memory_format=layout)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = functional.cross_entropy(network(pixels / 128 - 1), torch.from_numpy(y[start : start + BATCH]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        best = max(best, BATCH / (time.perf_counter() - began))
    return best


def main() -> None:
    warnings.filterwarnings("ignore")
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    torch.set_num_threads(threads)
    X, y = photographs()
    speeds = {
        f"loop {str(dtype).removeprefix('torch.')} {str(layout).removeprefix('torch.')}": by_hand(X, y, dtype, layout)
        for dtype in (torch.float32, torch.bfloat16)
        for layout in (torch.contiguous_format, torch.channels_last)
    }
    auto = str(Arithmetic.choose("cpu", "auto").dtype).removeprefix("torch.")
    ours = by_classifier(X, y)
    for name, speed in {**speeds, f"ImageClassifier (auto: {auto})": ours}.items():
        print(f"{name:40s} {speed:7.2f} photographs/s")  # noqa: T201
    plain, best = ours / speeds["loop float32 contiguous_format"], ours / max(speeds.values())
    result = {
        "benchmark": "cnn_throughput",
        "threads": threads,
        "photographs_per_second": {"ImageClassifier": ours, **speeds},
        "against_plain_loop": {"value": plain, "goal": GOAL_AGAINST_PLAIN, "met": plain >= GOAL_AGAINST_PLAIN},
        "against_best_loop": {"value": best, "goal": GOAL_AGAINST_BEST, "met": best >= GOAL_AGAINST_BEST},
        "absent": [] if torch.cuda.is_available() else ["cuda"],
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
