"""The usual training loops instead of ImageClassifier, as five-fold jobs, for `cnn_throughput`.

`python -m tests.benchmarks.cnn_rivals torchvision|timm|timm_channels_last FOLDER EPOCHS`, where FOLDER holds
`fold-<k>/{train,heldout}/{fake,real}` and `test/unknown`. All use all cores: torch by
default, the loaders with two workers.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import ImageDataset, create_loader
from timm.optim import create_optimizer_v2
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

BACKBONE, BATCH, WORKERS = "tf_efficientnet_lite0", 16, 2
STATISTICS = ((127 / 255,) * 3, (128 / 255,) * 3)


def torchvision_loader(folder: Path, training: bool) -> Any:
    """ImageFolder and DataLoader: every photograph is decoded in every epoch."""
    steps = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(*STATISTICS)]
    transform = v2.Compose([v2.RandomHorizontalFlip(), *steps] if training else steps)
    return DataLoader(ImageFolder(str(folder), transform), BATCH, shuffle=training, num_workers=WORKERS)


def timm_loader(folder: Path, training: bool) -> Any:
    """timm's loader with nothing but a flip."""
    flip_only: dict[str, Any] = {"scale": (1, 1), "ratio": (1, 1), "color_jitter": None}
    return create_loader(
        ImageDataset(str(folder)),
        input_size=(3, 256, 256),
        batch_size=BATCH,
        is_training=training,
        use_prefetcher=False,  # it needs a GPU
        mean=STATISTICS[0],
        std=STATISTICS[1],
        num_workers=WORKERS,
        **(flip_only if training else {"crop_pct": 1.0}),
    )


def fold(loaders: list[Any], epochs: int, layout: torch.memory_format) -> None:
    """Train on the first loader, predict the others with a flip."""
    network = timm.create_model(BACKBONE, num_classes=2).to(memory_format=layout)
    optimiser = create_optimizer_v2(network, opt="adamw", lr=1e-3, weight_decay=0.05)
    for _ in range(epochs):
        train(network.train(), optimiser, loaders[0], layout)
    network.eval()
    with torch.inference_mode():
        for loader in loaders[1:]:
            for pixels, _ in loader:
                pixels = pixels.contiguous(memory_format=layout)
                network(pixels) + network(pixels.flip(3))


def train(network: Any, optimiser: Any, loader: Iterable[Any], layout: torch.memory_format) -> None:
    """One epoch, as in timm's train.py."""
    for pixels, labels in loader:
        loss = functional.cross_entropy(network(pixels.contiguous(memory_format=layout)), labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()


def main() -> None:
    rival, folder, epochs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    warnings.filterwarnings("ignore")
    layout = torch.channels_last if rival.endswith("channels_last") else torch.contiguous_format
    loader = torchvision_loader if rival == "torchvision" else timm_loader
    for place in sorted(folder.glob("fold-*")):
        sources = [(place / "train", True), (place / "heldout", False), (folder / "test", False)]
        fold([loader(path, training) for path, training in sources], epochs, layout)


if __name__ == "__main__":
    main()
