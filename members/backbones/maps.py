"""Intermediate maps of a backbone, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import nn


def _covariance(maps: torch.Tensor) -> torch.Tensor:
    channels = maps.flatten(2)
    centred = channels - channels.mean(2, keepdim=True)
    pairs = torch.bmm(centred, centred.transpose(1, 2)) / channels.shape[2]
    row, column = torch.triu_indices(maps.shape[1], maps.shape[1]).unbind()
    return pairs[:, row, column]


# A new statistic is a new line here: maps float32 (n, channels, height, width) to (n, columns).
STATISTICS: Final[dict[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "mean": lambda maps: maps.mean((2, 3)),
    "deviation": lambda maps: torch.var(maps, dim=(2, 3), correction=0).sqrt(),
    "covariance": _covariance,
}


def layer_maps(backbone: nn.Module, pixels: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
    """Run a backbone and return what the named submodules gave, float32 (n, channels, height, width).

    Raises
    ------
    ValueError
        If the backbone has no such submodule, or it gives no maps with channels first.
    """
    maps: dict[str, torch.Tensor] = {}
    names = {name for name, _ in backbone.named_modules()}
    for layer in layers:
        if layer not in names:
            raise ValueError(f"layers names {layer!r}, and the backbone has no such submodule")

    def keep(layer: str) -> Callable[..., None]:
        def note(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            maps[layer] = output.float()

        return note

    hooks = [backbone.get_submodule(layer).register_forward_hook(keep(layer)) for layer in layers]
    try:
        backbone.forward_features(pixels)  # type: ignore[operator]
    finally:
        for hook in hooks:
            hook.remove()
    for layer in layers:
        if layer not in maps or maps[layer].ndim != 4:
            raise ValueError(f"the submodule {layer!r} gives no maps (n, channels, height, width); name another")
    return maps
