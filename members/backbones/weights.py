"""Initial weights of a backbone: from a Python package or a file. No code in a file can run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from torch import nn

from members.backbones.network import Normalisation
from members.packaged import WeightsError, no_such_weights, packaged

State = Mapping[str, torch.Tensor]

_WRAPPERS = ("module.", "_orig_mod.", "model.")
_OWN_PREFIX = "backbone."  # of the tensors in a file that ImageClassifier saved


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
        raise no_such_weights(path) from None
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


def read_packaged(architecture: str) -> tuple[State, Normalisation]:
    """Return the tensors of a package under timm's names, in whose order it holds them, and what they expect."""
    package = packaged(architecture)
    tensors = read_state(package.path())
    with torch.device("meta"):  # names alone, of a network with its head
        names = list(timm.create_model(architecture).state_dict())
    if len(names) != len(tensors):
        raise WeightsError(f"{package.distribution} holds {len(tensors)} tensors where timm has {len(names)}")
    state = dict(zip(names, tensors.values(), strict=True))
    return state, Normalisation((package.mean,) * 3, (package.std,) * 3)


def _in_classifier(backbone: Any, tensor: str) -> bool:
    heads = backbone.pretrained_cfg["classifier"]
    return tensor.startswith(tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads)))
