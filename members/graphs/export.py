"""Networks of torch as ONNX graphs. A graph is trusted once it has computed the same as torch."""

from __future__ import annotations

import copy
import io
import logging
import tempfile
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from members.graphs.session import INPUT, Graph, threads_to_use

TOLERANCE: Final = 1e-4  # of the largest absolute value of an output
_PASSING: Final = (OSError, MemoryError, ImportError)


class ExportError(Exception):
    """A network that cannot be a graph, or one that computes something else.

    Attributes
    ----------
    lasting : bool
        Whether another attempt would fail too: a full disk may have room again, a package be installed.
    """

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


def export(network: nn.Module, names: list[str], size: tuple[int, int], path: Path) -> float:
    """Write a network as a graph for photographs of a size; any number of them may be computed at once.

    Parameters
    ----------
    network : Module
        Takes uint8 (n, height, width, 3) and gives a tuple of tensors, or one.
    names : list of str
        Names of the outputs.

    Returns
    -------
    float
        The largest difference from torch, relative to the largest value of the output.

    Raises
    ------
    ExportError
        The network has operations that have no counterpart, or the graph differs from torch.
    """
    photographs = torch.from_numpy(_trial(size))
    network = network.eval().cpu()
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            torch.onnx.export(
                network,
                (photographs,),
                path,
                input_names=[INPUT],
                output_names=names,
                dynamic_shapes=({0: torch.export.Dim("n")},),
                external_data=False,
                dynamo=True,
            )
            _remove_notes(path)
            graph = Graph(path.read_bytes(), threads=1)
    except Exception as error:  # torch documents no list of what it raises
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        passing = isinstance(error, _PASSING) or isinstance(error.__cause__, _PASSING)
        raise ExportError(f"{type(error).__name__}: {reason}", lasting=not passing) from error
    return max(_difference(network, graph, photographs[:count]) for count in (1, len(photographs)))


def _remove_notes(path: Path) -> None:
    """Remove where in whose code each operation was exported: paths of this machine, and other bytes every time."""
    import onnx  # exporting needs it, reading does not

    model = onnx.load(path)
    for noted in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del noted.metadata_props[:]
        noted.doc_string = ""
    onnx.save(model, path)


def write_graph(network: nn.Module, names: list[str], size: tuple[int, int], path: Path) -> None:
    """Write a fitted network as a graph, and leave the network as it was.

    Raises
    ------
    ValueError
        The network cannot be a graph.
    """
    try:
        export(copy.deepcopy(network), names, size, path)
    except ExportError as reason:
        raise ValueError(f"the network has no graph: {reason}") from None


def graph_of(network: nn.Module, names: list[str], size: tuple[int, int]) -> Graph:
    """Return a network as a graph that computes with as many threads as the caller has set; it is exported once.

    Raises
    ------
    ExportError
        As `export`.
    """
    if network not in _contents:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.onnx"
            export(copy.deepcopy(network), names, size, path)
            _contents[network] = path.read_bytes()
    return Graph(_contents[network], threads_to_use())


_contents: WeakKeyDictionary[nn.Module, bytes] = WeakKeyDictionary()


def _difference(network: nn.Module, graph: Graph, photographs: torch.Tensor) -> float:
    with torch.inference_mode():
        computed = network(photographs)
    expected = computed if isinstance(computed, tuple) else (computed,)
    found = graph(photographs.numpy())
    worst = 0.0
    for name, tensor in zip(graph.names, expected, strict=True):
        value = tensor.numpy()
        worst = max(worst, float(np.abs(found[name] - value).max() / max(np.abs(value).max(), 1e-12)))
    if not worst <= TOLERANCE:  # NaN too
        raise ExportError(f"the graph differs from torch by {worst:.1e} of the largest value")
    return worst


def _trial(size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return photographs uint8 (3, height, width, 3): noise, and two gradients with a little of it."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (*size, 3))
    gradient = np.linspace(0, 200, size[1])[None, :, None] + rng.integers(0, 55, (*size, 3))
    return np.stack([noise, gradient, gradient[::-1, ::-1]]).astype(np.uint8)
