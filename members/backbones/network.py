"""The interface that all networks share: uint8 photographs in, logits out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from members.backbones.layers import first_layers

if TYPE_CHECKING:
    from typing import Self

Features = Any  # what a backbone passes to its head: maps or tokens, or a list of them
PER_CHANNEL = (1, 3, 1, 1)  # mean and standard deviation against (n, 3, height, width)


@dataclass(frozen=True)
class Normalisation:
    """What a backbone's weights expect of pixels: `(pixel - mean) / std`, per channel (R, G, B), in units of 0..255."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of_timm(cls, cfg: Mapping[str, Any]) -> Normalisation:
        """Read timm's `pretrained_cfg`, whose units are 0..1."""
        return cls(tuple(255 * value for value in cfg["mean"]), tuple(255 * value for value in cfg["std"]))


class PhotographNetwork(nn.Module):
    """A backbone that takes photographs as they are stored: uint8 (n, height, width, 3) in, float32 (n, classes) out.

    Mean and standard deviation are buffers, so they are saved with the weights, and photographs travel to the device as
    bytes. With `sides`, a matrix (enlarged side, side) each for height and width, photographs are enlarged first.
    """

    mean: torch.Tensor
    std: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(
        self, backbone: nn.Module, normalisation: Normalisation, sides: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> None:
        super().__init__()
        self.enlarges = sides is not None
        for name, side in zip(("rows", "columns"), sides or (), strict=False):
            self.register_buffer(name, side, persistent=False)
        self.backbone: Any = backbone  # a timm model: forward_features, forward_head
        self.register_buffer("mean", torch.tensor(normalisation.mean, dtype=torch.float32).view(PER_CHANNEL))
        self.register_buffer("std", torch.tensor(normalisation.std, dtype=torch.float32).view(PER_CHANNEL))
        self._frozen: list[nn.Module] = []

    def freeze(self, layers: int) -> None:
        """Keep the first layers as they are, their norms' statistics too, and let all others learn.

        Raises
        ------
        ValueError
            If there are not more layers than that, or timm does not define its layers.
        """
        frozen = first_layers(self.backbone, layers)
        for name, parameter in self.backbone.named_parameters():
            parameter.requires_grad_(name not in frozen)
        self._frozen = [module for module in self.backbone.modules() if _is_frozen(module)]

    def train(self, mode: bool = True) -> Self:
        """Set training mode, except for frozen layers."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def normalise(self, photographs: torch.Tensor) -> torch.Tensor:
        """Return float32 (n, 3, height, width) as the weights expect it, in channels_last layout."""
        pixels = photographs.permute(0, 3, 1, 2).float()  # permuted rows of pixels are already channels_last
        if self.enlarges:
            with torch.autocast(photographs.device.type, enabled=False):
                pixels = (self.rows @ pixels @ self.columns.T).contiguous(memory_format=torch.channels_last)
        return (pixels - self.mean) / self.std

    def forward(self, photographs: torch.Tensor) -> torch.Tensor:
        """Return the logits. The head runs in float32 even under autocast: many bfloat16 logits would be equal."""
        return self.head(self.backbone.forward_features(self.normalise(photographs)))

    def head(self, features: Features, **options: bool) -> torch.Tensor:
        """Call timm's `forward_head` in float32. Some networks pass it several maps."""
        several = isinstance(features, list | tuple)
        exact = [each.float() for each in features] if several else features.float()
        with torch.autocast(exact[0].device.type, enabled=False):
            logits: torch.Tensor = self.backbone.forward_head(exact, **options)
        return logits


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
