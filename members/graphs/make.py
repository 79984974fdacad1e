"""Making one graph of the cache. It runs as a process of its own where torch is not loaded."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from members.backbones import WeightsError, build_network
from members.backbones.maps import LayerMoments
from members.graphs.cache import FACTS, GRAPH, NoGraph, Request, read_facts
from members.graphs.export import ExportError, export
from members.graphs.session import read_graph
from members.training.randomness import private_randomness

_ANY_SIZE: Final = (224, 224)  # outputs are as wide for photographs of every size, and all networks take this one
_AT_ONCE: Final = (1, 2, 4, 8)
_UNFINISHED: Final = "unfinished-"
_ABANDONED: Final = 3600.0  # seconds; making a graph takes less
_AS_FAST: Final = 1.03  # more photographs at once are worth their memory from 3 % on


def build_moments(request: Request) -> LayerMoments:
    """Build the network of a request; fresh weights ("none") are the same in every process."""
    size = request.size or _ANY_SIZE
    with private_randomness(seed=0):
        network = build_network(
            request.backbone,
            request.weights,
            classes=0,
            size=size,
            stem_stride=request.stem_stride,
            enlarge=request.enlarge if request.size else None,
        )
    return LayerMoments(network.eval(), request.layers)


def widths_of(moments: LayerMoments, size: tuple[int, int] = _ANY_SIZE) -> dict[str, int]:
    """Return the channels or features of each output."""
    with torch.inference_mode():
        found = moments(torch.zeros((1, *size, 3), dtype=torch.uint8))
    return {name: output.shape[1] for name, output in zip(moments.names, found, strict=True)}


def make(request: Request, folder: Path) -> dict[str, Any]:
    """Write a graph and its facts, or why there is none, into a folder; return the facts."""
    moments = build_moments(request)
    _remove_abandoned(folder.parent)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_UNFINISHED))
    try:
        facts: dict[str, Any] = {"widths": widths_of(moments, request.size or _ANY_SIZE)}
        if request.size:
            try:
                facts["difference"] = export(moments, moments.names, request.size, unfinished / GRAPH)
                facts["at_once"] = _fastest(unfinished / GRAPH, request.size)
                content = (unfinished / GRAPH).read_bytes()
                facts |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            except ExportError as error:
                if not error.lasting:
                    raise NoGraph(str(error)) from error
                facts["no_graph"] = str(error)
        (unfinished / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        if read_facts(folder) is None:  # a process whose parent was killed may have gone on, and made it
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return facts


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes have left behind that were killed."""
    for unfinished in folder.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - unfinished.stat().st_mtime > _ABANDONED:
                shutil.rmtree(unfinished, ignore_errors=True)


def _fastest(path: Path, size: tuple[int, int]) -> int:
    """Return how many photographs to compute at once: the fewest that are about as fast as the fastest number."""
    graph, rng = read_graph(path, threads=1), np.random.default_rng(0)
    seconds: dict[int, float] = {}
    for count in _AT_ONCE:
        photographs = rng.integers(0, 256, (count, *size, 3), dtype=np.uint8)
        graph(photographs)
        spent = []
        for _ in range(3):
            begun = time.perf_counter()
            graph(photographs)
            spent.append((time.perf_counter() - begun) / count)
        seconds[count] = min(spent)
    return next(count for count in _AT_ONCE if seconds[count] <= _AS_FAST * min(seconds.values()))


if __name__ == "__main__":
    parameters = json.loads(sys.argv[1])
    layers, size = parameters["layers"], parameters["size"]
    parameters["layers"] = layers if isinstance(layers, str) else tuple(layers)
    parameters["size"] = None if size is None else tuple(size)
    try:
        make(Request(**parameters), Path(sys.argv[2]))
    except (WeightsError, ValueError, NoGraph) as error:
        kind = type(error).__name__ if isinstance(error, WeightsError | NoGraph) else "ValueError"
        sys.exit(print(f"{kind}: {' '.join(str(error).split())}") or 1)  # noqa: T201
