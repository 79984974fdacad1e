"""The layers of a backbone from the input on, as timm counts them: the stem, each stage, the head."""

from __future__ import annotations

from typing import Any

from timm.models import group_modules, group_parameters
from torch import nn


def first_layers(backbone: Any, count: int) -> tuple[list[nn.Parameter], list[nn.Module]]:
    """Return the parameters of the first layers, and their submodules that have any of their own.

    Raises
    ------
    ValueError
        If that would be all layers, or more than there are.
    """
    layers = backbone.group_matcher(coarse=True)
    parameters, modules = group_parameters(backbone, layers), group_modules(backbone, layers)
    if count >= len(parameters):
        raise ValueError(
            f"{count} layers are to be frozen, and this backbone has {len(parameters) - 1} below its head; "
            "freeze fewer (frozen_layers)"
        )
    return (
        [backbone.get_parameter(name) for layer in range(count) for name in parameters[layer]],
        [backbone.get_submodule(name) for layer in range(count) for name in modules.get(layer, [])],
    )
