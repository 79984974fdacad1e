"""A network run forward on a device, view by view; where memory is short, one half of a batch after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from members.bundled.networks import AT_ONCE, LOGITS
from members.crops import Size, views
from members.graphs.choose import use_graph
from members.graphs.export import ExportError, graph_of
from members.photographs import Photographs
from members.training.arithmetic import Arithmetic

_WORTH_AN_EXPORT = 256  # photographs: it takes seconds

Outputs = dict[str, npt.NDArray[np.float32]]
Forward = Callable[[npt.NDArray[np.uint8]], Outputs]
Result = TypeVar("Result")


class TorchForward:
    """A network on a device: photographs uint8 (n, height, width, 3) in, float32 arrays by name out.

    Parameters
    ----------
    network : Module
        Gives a tuple of tensors, or one.
    names : list of str
        Names of its outputs.
    """

    def __init__(self, network: nn.Module, names: list[str], arithmetic: Arithmetic) -> None:
        self.network, self.names, self.arithmetic = network.to(arithmetic.device).eval(), names, arithmetic

    def __call__(self, photographs: npt.NDArray[np.uint8]) -> Outputs:
        """Compute all outputs."""
        return in_halves(self._outputs, photographs, _joined)

    @torch.inference_mode()
    def _outputs(self, photographs: npt.NDArray[np.uint8]) -> Outputs:
        with self.arithmetic.autocast():
            computed = self.network(self.arithmetic.tensor(photographs))
        tensors = computed if isinstance(computed, tuple) else (computed,)
        return {name: tensor.float().cpu().numpy() for name, tensor in zip(self.names, tensors, strict=True)}


def choose_forward(
    network: nn.Module, size: Size, engine: tuple[str, str, str], photographs: int, batch_size: int
) -> tuple[Forward, int]:
    """Return what runs a classifier's network on photographs of a size, and how many it had best compute at once.

    Parameters
    ----------
    engine : (str, str, str)
        Engine, device and precision, as in `members.cnn.ImageClassifier`.
    photographs : int
        How many there are: for a few, a graph is not worth an export.
    """
    asked, device, precision = engine
    if (photographs >= _WORTH_AN_EXPORT or asked == "onnxruntime") and use_graph(*engine):
        try:
            return graph_of(network, [LOGITS], size), AT_ONCE
        except ExportError as reason:
            if asked == "onnxruntime":
                raise ValueError(f"this network has no graph: {reason}") from None
            warnings.warn(f"a network predicts on torch, which is slower: {reason}", stacklevel=3)
    return TorchForward(network, [LOGITS], Arithmetic.choose(device, precision)), batch_size


def predict_logits(
    forward: Forward, X: Photographs, at_once: int, *, flip: bool, crop: int | None
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield float64 (rows, classes) for one batch after the other: the mean over all views of a photograph."""
    for start in range(0, len(X), at_once):
        photographs = X[np.arange(start, min(start + at_once, len(X)))]
        seen = [forward(view)[LOGITS] for view in views(photographs, flip=flip, crop=crop)]
        yield np.mean(seen, axis=0, dtype=np.float64)


def mean_logits(
    network: nn.Module, photographs: torch.Tensor, *, flip: bool, crop: int | None, arithmetic: Arithmetic
) -> torch.Tensor:
    """Return float64 (n, classes), the mean over all views, of uint8 (n, height, width, 3) on the device."""
    with arithmetic.autocast():
        logits = [in_halves(network, view, torch.cat).double() for view in views(photographs, flip=flip, crop=crop)]
    return torch.stack(logits).mean(0)


def in_halves(compute: Callable[[Any], Result], photographs: Any, join: Callable[[list[Result]], Result]) -> Result:
    """Compute rows; if memory runs out, one half after the other, down to one photograph."""
    try:
        return compute(photographs)
    except torch.OutOfMemoryError:
        if len(photographs) == 1:
            raise
    # Outside the except, where the error would keep the failed call's tensors alive.
    middle = len(photographs) // 2
    return join([in_halves(compute, half, join) for half in (photographs[:middle], photographs[middle:])])


def _joined(parts: list[Outputs]) -> Outputs:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
