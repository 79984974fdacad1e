"""Graphs of networks with fixed weights, on disk: each is made once on a machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from members.crops import Size
from members.packaged import WeightsError, check_weights

_VERSION: Final = 1  # of what is exported and how; another one makes all graphs again
_PACKAGES: Final = ("torch", "timm", "onnxruntime")
GRAPH, FACTS = "graph.onnx", "facts.json"
_CHILD: Final = "members.graphs.make"


class NoGraph(Exception):
    """A network that has no graph; the message is the reason."""


@dataclass(frozen=True)
class Request:
    """A network with fixed weights, up to some layers.

    Attributes
    ----------
    backbone, weights, stem_stride, enlarge, layers
        As in `members.embedding.FrozenEmbedding`.
    size : (int, int) or None
        Height and width of its input; None to ask for the facts alone.
    """

    backbone: str
    weights: str
    stem_stride: int | None
    enlarge: float | None
    layers: str | tuple[str, ...]
    size: Size | None = None

    @property
    def key(self) -> str:
        """Return a hash of what the graph depends on: the weights, and the versions of the packages too."""
        weights = check_weights(self.backbone, self.weights)
        content = "" if weights is None else _file_sha256(str(weights), weights.stat().st_mtime_ns)
        versions = [importlib.metadata.version(package) for package in _PACKAGES]
        weights_as_named = "" if content else self.weights
        text = json.dumps([_VERSION, versions, content, {**asdict(self), "weights": weights_as_named}])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Made:
    """What is known of a network.

    Attributes
    ----------
    widths : dict of str to int
        Channels, or features, of each output, by its name.
    path : Path
        The graph, if the request has a size.
    at_once : int
        Photographs that are computed at once: more are no faster.
    """

    widths: dict[str, int]
    path: Path
    at_once: int


@lru_cache(maxsize=16)
def made(request: Request) -> Made:
    """Return the graph of a network, which is made if it is not there, by a process that has torch or gets it.

    Raises
    ------
    NoGraph
        The network cannot be a graph.
    WeightsError, ValueError
        The weights or a parameter are not as they should be.
    """
    folder = cache_folder() / request.key
    facts = _read(folder)
    if facts is None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            facts = _read(folder) or _make(request, folder)
    if "no_graph" in facts:
        raise NoGraph(facts["no_graph"])
    return Made(facts["widths"], folder / GRAPH, facts.get("at_once", 1))


def cache_folder() -> Path:
    """Return the folder of all graphs: in the user's cache, or where there is none in that of temporary files."""
    for base in (os.environ.get("XDG_CACHE_HOME"), Path.home() / ".cache", tempfile.gettempdir()):
        if base and os.access(base, os.W_OK):
            return Path(base) / "who-took-this-photo" / "graphs"
    return Path(tempfile.gettempdir()) / "who-took-this-photo" / "graphs"


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts


def _make(request: Request, folder: Path) -> dict[str, Any]:
    """Make a graph here if torch is loaded, or else in a process of its own: torch and timm take 600 MB."""
    if "torch" in sys.modules:
        from members.graphs.make import make

        return make(request, folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", _CHILD, json.dumps(asdict(request)), str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    facts = _read(folder)
    if facts is None:
        error = done.stdout.strip().splitlines()[-1:] or done.stderr.strip().splitlines()[-1:] or ["it was killed"]
        kind, _, message = error[0].partition(": ")
        raise _ERRORS.get(kind, NoGraph)(message or kind)
    return facts


_ERRORS: Final[dict[str, Callable[[str], Exception]]] = {"WeightsError": WeightsError, "ValueError": ValueError}


@lru_cache(maxsize=16)
def _file_sha256(path: str, changed: int) -> str:  # noqa: ARG001  a file that was changed is read again
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
