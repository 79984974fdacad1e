"""A training step alone, for `cnn_throughput`: its speed without the framework, and a profile of its time.

`python -m tests.benchmarks.cnn_step kept|unkept|profile FROZEN_LAYERS` prints one JSON object; the first two are the
speed with `heap_kept` and without. One thread, as a Ray worker has.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from members.backbones import build_network
from members.cnn import ImageClassifier
from members.training.heap import heap_kept

BACKBONE, SIDE, BATCH, STEPS = "tf_efficientnet_lite0", 256, 16, 12
KINDS = {
    "convolutions": ("convolution", "conv2d", "mkldnn"),
    "normalisation": ("batch_norm", "batchnorm"),
    "activations": ("hardtanh", "clamp", "relu"),
    "copying and padding": ("copy_", "fill_", "pad", "cat", "stack", "index", "flip", "clone", "rand", "nonzero"),
    "optimiser": ("optimizer", "adamw", "_foreach", "norm", "lerp", "addc", "sqrt", "mul_", "div_"),
}


def forward_and_backward(heap: AbstractContextManager[None], frozen_layers: int) -> float:
    """Photographs a second of nothing but the network: forward, loss, backward, on pixels that are there already."""
    network = build_network(BACKBONE, "none", classes=2, size=(SIDE, SIDE), drop_rate=0.2)
    network.freeze(frozen_layers)
    network.train()
    photographs = torch.randint(0, 256, (BATCH, SIDE, SIDE, 3), dtype=torch.uint8)
    labels = torch.arange(BATCH) % 2
    seconds = []
    with heap:
        for _ in range(STEPS):
            begun = time.perf_counter()
            network.zero_grad()
            functional.cross_entropy(network(photographs), labels).backward()
            seconds.append(time.perf_counter() - begun)
    return BATCH / float(np.median(seconds[2:]))


def shares(frozen_layers: int) -> dict[str, float]:
    """Share of `fit`'s time by kind of operation."""
    X = np.random.default_rng(0).integers(0, 256, (6 * BATCH, SIDE, SIDE, 3), dtype=np.uint8)
    model = ImageClassifier(
        backbone=BACKBONE,
        weights="none",
        frozen_layers=frozen_layers,
        epochs=1,
        batch_size=BATCH,
        device="cpu",
        random_state=0,
    )
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        model.fit(X, np.arange(len(X)) % 2)
    spent: Counter[str] = Counter()
    for event in profiler.key_averages():
        name = event.key.lower()
        kind = next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "the rest")
        spent[kind] += event.self_cpu_time_total
    return {kind: time_spent / spent.total() for kind, time_spent in spent.most_common()}


def main() -> None:
    torch.set_num_threads(1)
    what, frozen_layers = sys.argv[1], int(sys.argv[2])
    if what == "profile":
        print(json.dumps(shares(frozen_layers)))  # noqa: T201
    else:
        heap = heap_kept() if what == "kept" else nullcontext()
        print(json.dumps(forward_and_backward(heap, frozen_layers)))  # noqa: T201


if __name__ == "__main__":
    main()
