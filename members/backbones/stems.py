"""Finer stems that keep the traces: the first convolution with a smaller stride and its own weights."""

from __future__ import annotations

from typing import Any

from timm.layers import Conv2dSame
from torch import nn


def set_stem_stride(backbone: Any, stride: int) -> None:
    """Set the stride of the first convolution and keep its weights, so that all maps are finer.

    Halving a stride doubles the height and width of all feature maps, at about four times the cost (the ALASKA2
    trick; Gragnaniello et al., 2021). EfficientNet, ResNet and RegNet begin with a strided 3 x 3 or 7 x 7 kernel;
    ConvNeXt's patches (4 x 4, stride 4) become overlapping ones. A map then has photograph / stride pixels.

    Raises
    ------
    ValueError
        If the stem is of another kind, or its stride is not larger than the one asked for.
    """
    name = backbone.pretrained_cfg["first_conv"]
    stem = backbone.get_submodule(name) if isinstance(name, str) else None
    if not isinstance(stem, nn.Conv2d) or _counts_patches(backbone):
        raise ValueError(
            f"stem_stride={stride} needs the stem of an EfficientNet, ResNet, ConvNeXt or RegNet, and this backbone "
            f"begins with {name}, whose stride sizes all that follows; set stem_stride to None"
        )
    if stem.stride[0] <= stride:
        raise ValueError(f"stem_stride={stride} is not finer than the stride of {stem.stride[0]} that this stem has")
    stem.stride = (stride, stride)
    if not isinstance(stem, Conv2dSame):  # that one pads as its stride needs
        stem.padding = _padding(stem.kernel_size[0], stride)


def _counts_patches(backbone: Any) -> bool:
    """Return whether the number of patches is fixed, as in a transformer that learns an embedding for each."""
    return bool(backbone.pretrained_cfg["fixed_input_size"]) or hasattr(backbone, "pos_embed")


def _padding(kernel: int, stride: int) -> tuple[int, int] | str:
    """Return the padding with which a map has photograph / stride pixels."""
    if kernel % 2:
        return (kernel // 2, kernel // 2)
    return "same" if stride == 1 else ((kernel - stride) // 2, (kernel - stride) // 2)
