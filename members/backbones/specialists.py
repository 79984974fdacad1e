"""Two small networks that train from scratch, registered with timm as `npr_net` and `high_pass_net`.

Both see the residuals of a photograph without its content, so they learn from little data and make other mistakes than
networks with ImageNet weights. Feed them aligned crops at the photographs' own size.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import torch
from timm.layers import ConvNormAct
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import Bottleneck, make_blocks
from torch import nn
from torch.nn import functional

_PLAIN_PIXELS = {"mean": (0.0, 0.0, 0.0), "std": (1 / 255,) * 3, "num_classes": 2, "input_size": (3, 128, 128)}

default_cfgs = generate_default_cfgs(
    {
        "npr_net.untrained": {**_PLAIN_PIXELS, "first_conv": "stem.conv", "classifier": "classifier"},
        "high_pass_net.untrained": {**_PLAIN_PIXELS, "first_conv": "blocks.0.conv", "classifier": "classifier"},
    }
)


class Specialist(nn.Module):
    """Base class with timm's interface, for networks whose maps are pooled by their statistics."""

    statistics: ClassVar[int]  # numbers that `pool` keeps of every channel

    def __init__(self, channels: int, num_classes: int, drop_rate: float) -> None:
        super().__init__()
        self.num_features = self.statistics * channels
        self.drop = nn.Dropout(drop_rate)
        self.reset_classifier(num_classes)

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the head by a fresh one; 0 classes leave the pooled features."""
        self.num_classes = num_classes
        self.classifier = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def get_classifier(self) -> nn.Module:
        """Return the head."""
        return self.classifier

    def pool(self, maps: torch.Tensor) -> torch.Tensor:
        """Reduce maps (n, channels, h, w) to (n, statistics * channels)."""
        raise NotImplementedError

    def forward_head(self, maps: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Turn the maps into logits, or with `pre_logits` into the input of the head."""
        pooled = self.drop(self.pool(maps))
        logits: torch.Tensor = pooled if pre_logits else self.classifier(pooled)
        return logits

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes) of pixels (n, 3, h, w) in levels 0..255."""
        return self.forward_head(self.forward_features(pixels))

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the maps that `pool` reduces."""
        raise NotImplementedError


class NPRNet(Specialist):
    """Neighbouring pixel relations (Tan et al., 2024) before the first two stages of a ResNet-50.

    NPR subtracts from each 2 x 2 cell its upper left pixel. The three differences that are not zero become nine
    channels at half resolution, which hold all that the published full-size map holds. 1.4 million weights.
    """

    statistics = 1
    DIFFERENCE_SCALE: ClassVar[float] = 8.0  # levels: neighbours in a photograph differ by a few

    def __init__(self, num_classes: int = 2, drop_rate: float = 0.0, **_: Any) -> None:
        super().__init__(channels=512, num_classes=num_classes, drop_rate=drop_rate)
        self.stem = ConvNormAct(9, 64, kernel_size=3)
        self.pool_stem = nn.MaxPool2d(3, stride=2, padding=1)
        stages, _info = make_blocks((Bottleneck, Bottleneck), (64, 128), (3, 4), inplanes=64, norm_layer=nn.BatchNorm2d)
        self.blocks = nn.Sequential(*(stage for _, stage in stages))

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return maps (n, 512, h / 8, w / 8)."""
        maps: torch.Tensor = self.blocks(
            self.pool_stem(self.stem(neighbour_differences(pixels) / self.DIFFERENCE_SCALE))
        )
        return maps

    def pool(self, maps: torch.Tensor) -> torch.Tensor:
        """Average over the photograph."""
        return maps.mean((2, 3))

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns of the parameters that form a layer, from the input on."""
        return {"stem": r"^stem", "blocks": r"^blocks\.(\d+)" if coarse else r"^blocks\.(\d+)\.(\d+)"}


class HighPassNet(Specialist):
    """Five fixed high-pass kernels of the rich models, truncated, before four strided convolutions.

    Mean and standard deviation of the last maps are pooled: the deviation is the energy of a texture, which a mean of
    rectified maps loses. Kernels: Fridrich and Kodovsky (2012); truncation: Ye et al. (2017). 70,000 weights.
    """

    statistics = 2
    TRUNCATION: ClassVar[float] = 4.0  # levels, after a kernel's normalisation
    WIDTHS: ClassVar[tuple[int, ...]] = (32, 32, 64, 64)
    kernels: torch.Tensor

    def __init__(self, num_classes: int = 2, drop_rate: float = 0.0, **_: Any) -> None:
        super().__init__(channels=self.WIDTHS[-1], num_classes=num_classes, drop_rate=drop_rate)
        kernels = high_pass_kernels()
        self.register_buffer("kernels", kernels.repeat(3, 1, 1)[:, None], persistent=False)
        widths = (len(self.kernels), *self.WIDTHS)
        self.blocks = nn.Sequential(*(ConvNormAct(a, b, kernel_size=3, stride=2) for a, b in pairwise(widths)))

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return maps (n, 64, h / 16, w / 16)."""
        # In half precision KV's taps would no longer sum to zero, and brightness would pass for a residual.
        with torch.autocast(pixels.device.type, enabled=False):
            residuals = functional.conv2d(pixels.float(), self.kernels, groups=3)
        maps: torch.Tensor = self.blocks(residuals.clamp(-self.TRUNCATION, self.TRUNCATION))
        return maps

    def pool(self, maps: torch.Tensor) -> torch.Tensor:
        """Return mean and standard deviation over the photograph."""
        variance, mean = torch.var_mean(maps.float(), dim=(2, 3), correction=0)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:  # noqa: ARG002  timm's signature
        """Return timm's patterns of the parameters that form a layer, from the input on."""
        return {"stem": r"^blocks\.0", "blocks": r"^blocks\.(\d+)"}


def neighbour_differences(pixels: torch.Tensor) -> torch.Tensor:
    """Return (n, 9, h // 2, w // 2): right, lower and diagonal neighbour minus the upper left of each 2 x 2 cell."""
    height, width = pixels.shape[-2] // 2 * 2, pixels.shape[-1] // 2 * 2
    cells = pixels[..., :height, :width]
    anchor = cells[..., ::2, ::2]
    others = (cells[..., ::2, 1::2], cells[..., 1::2, ::2], cells[..., 1::2, 1::2])
    return torch.cat([other - anchor for other in others], dim=1)


def high_pass_kernels() -> torch.Tensor:
    """Return float32 (5, 5, 5): first and second differences both ways and KV, each scaled to a largest tap of 1."""
    second = torch.tensor([1.0, -2.0, 1.0])
    kernels = torch.zeros(5, 5, 5)
    kernels[0, 2, 2:4] = kernels[1, 2:4, 2] = torch.tensor([-1.0, 1.0])
    kernels[2, 2, 1:4] = kernels[3, 1:4, 2] = second / 2
    edge, inner = torch.tensor([-1.0, 2.0, -2.0, 2.0, -1.0]), torch.tensor([2.0, -6.0, 8.0, -6.0, 2.0])
    middle = torch.tensor([-2.0, 8.0, -12.0, 8.0, -2.0])
    kernels[4] = torch.stack([edge, inner, middle, inner, edge]) / 12
    return kernels


@register_model
def npr_net(pretrained: bool = False, **kwargs: Any) -> NPRNet:
    """Build `NPRNet` by its timm name."""
    return build_model_with_cfg(NPRNet, "npr_net", pretrained, **kwargs)


@register_model
def high_pass_net(pretrained: bool = False, **kwargs: Any) -> HighPassNet:
    """Build `HighPassNet` by its timm name."""
    return build_model_with_cfg(HighPassNet, "high_pass_net", pretrained, **kwargs)
