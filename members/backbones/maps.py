"""Intermediate maps of a backbone, and their statistics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import nn

SHRINKAGE: Final = 0.1  # of the mean variance of a layer's channels
TINY: Final = 1e-6  # where nothing varies at all


class _AllSeen(Exception):
    """Stops a forward pass after the last requested layer."""


def _covariances(maps: torch.Tensor) -> torch.Tensor:
    channels = maps.flatten(2)
    centred = channels - channels.mean(2, keepdim=True)
    return torch.bmm(centred, centred.transpose(1, 2)) / channels.shape[2]


def _upper_triangles(matrices: torch.Tensor) -> torch.Tensor:
    row, column = torch.triu_indices(matrices.shape[1], matrices.shape[2], device=matrices.device).unbind()
    return matrices[:, row, column]


def _log_covariances(maps: torch.Tensor) -> torch.Tensor:
    """Return the matrix logarithms, scaled so that distances of columns are distances of matrices.

    Logarithms flatten the space of covariances, so that a linear model may follow (log-Euclidean metric: Arsigny et
    al., 2006; as pooling: Ionescu et al., 2015). A tenth of the mean variance on the diagonal keeps directions in which
    hardly anything varies from dominating.
    """
    covariances = _covariances(maps).double()
    unit = torch.eye(maps.shape[1], dtype=torch.float64, device=maps.device)
    variances = covariances.diagonal(dim1=1, dim2=2).mean(1)
    values, vectors = torch.linalg.eigh(covariances + (SHRINKAGE * variances + TINY)[:, None, None] * unit)
    logarithms = (vectors * values.log()[:, None, :]) @ vectors.transpose(1, 2)
    return _upper_triangles(logarithms * (math.sqrt(2) + (1 - math.sqrt(2)) * unit)).float()


# A new statistic is a new line here: maps float32 (n, channels, height, width) to (n, columns).
STATISTICS: Final[dict[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "mean": lambda maps: maps.mean((2, 3)),
    "deviation": lambda maps: torch.var(maps, dim=(2, 3), correction=0).sqrt(),
    "covariance": lambda maps: _upper_triangles(_covariances(maps)),
    "log_covariance": _log_covariances,
}


def layer_maps(backbone: nn.Module, pixels: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
    """Run a backbone up to the last of the named submodules and return what they gave.

    Returns
    -------
    dict
        By name, float32 (n, channels, height, width).

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
        def note(_module: nn.Module, _inputs: object, output: object) -> None:
            maps[layer] = _channels_first(backbone, layer, output)
            if maps.keys() >= set(layers):
                raise _AllSeen

        return note

    hooks = [backbone.get_submodule(layer).register_forward_hook(keep(layer)) for layer in layers]
    try:
        backbone.forward_features(pixels)  # type: ignore[operator]
    except _AllSeen:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    for layer in layers:
        if layer not in maps:
            raise _no_maps(layer)
    return maps


def _channels_first(backbone: nn.Module, layer: str, output: object) -> torch.Tensor:
    """Return a float32 copy with channels first: later layers may work in place."""
    if not isinstance(output, torch.Tensor) or output.ndim != 4:
        raise _no_maps(layer)
    is_channels_last = getattr(backbone, "output_fmt", "NCHW") == "NHWC"  # as timm says of Swin
    maps = output.permute(0, 3, 1, 2) if is_channels_last else output
    return maps.to(torch.float32, copy=True)


def _no_maps(layer: str) -> ValueError:
    return ValueError(f"the submodule {layer!r} gives no maps (n, channels, height, width); name another")
