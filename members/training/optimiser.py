"""AdamW with one cycle of the learning rate, optionally lower in early layers."""

from __future__ import annotations

import math
from typing import Any

import torch
from timm.optim import param_groups_layer_decay


def parameter_groups(backbone: Any, weight_decay: float, layer_decay: float) -> list[dict[str, Any]]:
    """Split the parameters by layer and by whether they decay: norms and biases (one axis or none) do not.

    A layer's `lr_scale` is `layer_decay` to the power of the number of layers above it (Bao et al., BEiT, 2022).
    """
    spared = backbone.no_weight_decay() if hasattr(backbone, "no_weight_decay") else ()
    groups: list[dict[str, Any]] = param_groups_layer_decay(
        backbone, weight_decay, no_weight_decay_list=spared, layer_decay=layer_decay
    )
    return groups


def one_cycle(step: int, steps: int, warmup_fraction: float) -> float:
    """Return the share of the peak learning rate at a step: up in a line, then down a cosine to nearly nothing."""
    warmup = round(warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the last layer; those below follow by their scale."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["lr_scale"]
