"""Intermediate maps of a backbone, and the means and covariances of their channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from members.backbones.network import PhotographNetwork

HEAD = "head"


class LayerMoments(nn.Module):
    """A network up to its last named layer: photographs in, means and covariances of each layer's channels out.

    Takes uint8 (n, height, width, 3). Gives for each layer float32 (n, channels) and (n, channels, channels); for
    "head" the input of the network's own classifier, float32 (n, features). `names` are those of the results.

    Raises
    ------
    ValueError
        If the backbone has no such submodule, or it gives no maps with channels first.
    """

    def __init__(self, network: PhotographNetwork, layers: str | Sequence[str]) -> None:
        super().__init__()
        self.network, self.layers = network, layers
        parts = [f"{layer}/{moment}" for layer in layers for moment in ("mean", "covariance")]
        self.names = [HEAD] if isinstance(layers, str) else parts

    def forward(self, photographs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute what `names` says."""
        pixels, backbone = self.network.normalise(photographs), self.network.backbone
        if isinstance(self.layers, str):
            return (self.network.head(backbone.forward_features(pixels), pre_logits=True),)
        maps = layer_maps(backbone, pixels, self.layers)
        with torch.autocast(photographs.device.type, enabled=False):  # half precision ruins covariances
            return tuple(moment for layer in self.layers for moment in _moments(maps[layer]))


def _moments(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    channels = maps.flatten(2)
    means = channels.mean(2)
    centred = channels - means[:, :, None]
    return means, torch.bmm(centred, centred.transpose(1, 2)) / channels.shape[2]


class _AllSeen(Exception):
    """Stops a forward pass after the last requested layer."""


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
            if maps.keys() >= set(layers) and not torch.compiler.is_exporting():  # a graph drops what nobody reads
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
