"""Building a timm backbone for photographs of a given size, with a fresh head."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError

import members.backbones.specialists  # noqa: F401  registers its networks with timm
from members.backbones.enlarge import enlarged, interpolation
from members.backbones.layers import first_layers
from members.backbones.network import Normalisation, PhotographNetwork
from members.backbones.stems import set_stem_stride
from members.backbones.weights import body_and_normalisation, load_body, read_packaged, read_state
from members.packaged import PACKAGED, WeightsError, check_weights, packaged


def build_network(
    name: str,
    weights: str | Path,
    *,
    classes: int,
    size: tuple[int, int],
    stem_stride: int | None = None,
    enlarge: float | None = None,
    drop_rate: float = 0.0,
) -> PhotographNetwork:
    """Build a timm backbone with a fresh head, in channels_last layout, on the CPU.

    Draws the fresh weights from torch's global generator; callers seed it.

    Parameters
    ----------
    name, weights, stem_stride, enlarge, drop_rate
        As in `members.cnn.ImageClassifier`. The head is always fresh. Weights that were trained on the competition's
        photographs make every out-of-fold score too high.
    classes : int
        Number of logits; 0 leaves the head out.
    size : tuple[int, int]
        Height and width of the input in pixels.

    Raises
    ------
    WeightsError
        If the weights cannot be had or do not fit.
    ValueError
        If timm does not know the backbone, or it cannot take that size or that stride.
    """
    _check_name(name)
    larger = size if enlarge is None else enlarged(size, enlarge)
    backbone = _create(name, pretrained=weights == "hub", classes=classes, size=larger, drop_rate=drop_rate)
    # timm draws an EfficientNet's head for 1000 classes' worth of fan-out; for two it starts at a loss of 2 to 4.
    backbone.reset_classifier(classes)
    normalisation = _load(backbone, name, weights)
    if stem_stride is not None:
        set_stem_stride(backbone, stem_stride)
    sides = None if enlarge is None else (interpolation(size[0], larger[0]), interpolation(size[1], larger[1]))
    network = PhotographNetwork(backbone, normalisation, sides).to(memory_format=torch.channels_last)
    _check_size(network, name, size)
    return network


def check_network(name: str, weights: str | Path, *, stem_stride: int | None, frozen_layers: int) -> None:
    """Find what is wrong with a network's parameters without its weights or a photograph.

    Raises
    ------
    ValueError
        As `build_network` and `PhotographNetwork.freeze` would. The hub is not contacted.
    """
    _check_name(name)
    check_weights(name, weights)
    with torch.device("meta"):
        backbone = timm.create_model(name)
    if stem_stride is not None:
        set_stem_stride(backbone, stem_stride)
    first_layers(backbone, frozen_layers)


def _load(backbone: Any, name: str, weights: str | Path) -> Normalisation:
    """Load weights that timm does not load itself, and return what the weights expect of pixels."""
    normalisation = Normalisation.of_timm(backbone.pretrained_cfg)
    if weights in ("hub", "none"):
        return normalisation
    if weights == "packaged":
        architecture = name.split(".")[0]
        state, normalisation = read_packaged(architecture)
        load_body(backbone, state, f"the package {packaged(architecture).distribution}")
        return normalisation
    body, normalisation = body_and_normalisation(read_state(Path(weights).expanduser()), normalisation)
    load_body(backbone, body, str(weights))
    return normalisation


def _create(name: str, *, pretrained: bool, classes: int, size: tuple[int, int], drop_rate: float) -> Any:
    """Create the network with timm; networks made for one size (ViT, Swin) are built for the photographs' size."""
    cfg = timm.get_pretrained_cfg(name)
    sized: dict[str, Any] = {"img_size": size} if cfg is not None and cfg.fixed_input_size else {}
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=classes, drop_rate=drop_rate, **sized)
    except (OSError, RuntimeError, SafetensorError) as error:
        if not pretrained:
            raise
        reason = "its file in the cache is damaged" if isinstance(error, SafetensorError) else type(error).__name__
        raise WeightsError(
            f'the hub gave no weights for {name} ({reason}); use weights="packaged" for '
            f'{" or ".join(PACKAGED)}, the path of a weights file, or weights="none"'
        ) from error
    except (AssertionError, TypeError) as error:
        if not sized:
            raise
        raise _wrong_size(name, size) from error


@torch.no_grad()
def _check_size(network: PhotographNetwork, name: str, size: tuple[int, int]) -> None:
    """Run the network on a blank photograph: some can be built for any size and fail only when they are used."""
    try:
        network.eval()(torch.zeros((1, *size, 3), dtype=torch.uint8))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _wrong_size(name, size, network.backbone.pretrained_cfg["fixed_input_size"]) from error
    network.train()


def _wrong_size(name: str, size: tuple[int, int], is_fixed: bool = True) -> ValueError:
    reason = "was made for one size and takes" if is_fixed else "is too deep for so few pixels: it takes"
    return ValueError(f"{name} {reason} no photographs or crops of {size[0]} x {size[1]}")


def _check_name(name: str) -> None:
    architecture, _, tag = name.partition(".")
    known = timm.list_models()
    if timm.is_model(name) and tag:
        known = timm.list_pretrained(f"{architecture}.*")
        if name in known:
            return
    elif timm.is_model(name):
        return
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4 if tag else 0.6)
    hint = f"did you mean {' or '.join(near)}" if near else "timm.list_models() lists them all"
    raise ValueError(f"timm knows no backbone named {name!r}; {hint}")
