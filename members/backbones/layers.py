"""The layers of a backbone from the input on, as timm counts them: the stem, each stage, the head."""

from __future__ import annotations

from typing import Any

from timm.models import group_parameters


def first_layers(backbone: Any, count: int) -> set[str]:
    """Return the names of the parameters of the first layers.

    Raises
    ------
    ValueError
        If there are not more layers than that, or timm does not define its layers.
    """
    if count == 0:
        return set()
    try:
        layers = group_parameters(backbone, backbone.group_matcher(coarse=True))
    except (AttributeError, AssertionError):
        raise ValueError(
            f"timm does not define the layers of a {type(backbone).__name__}, so none can be frozen; "
            "set frozen_layers to 0"
        ) from None
    if count >= len(layers):
        raise ValueError(
            f"{count} layers are to be frozen, and this backbone has {len(layers) - 1} below its head; "
            "freeze fewer (frozen_layers)"
        )
    return {name for layer in range(count) for name in layers[layer]}
