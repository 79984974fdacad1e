"""Graphs of frozen networks, on disk: each is made once on a machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from members.crops import Size
from members.graphs.session import Graph, read_graph
from members.packaged import WeightsError, check_weights

_PACKAGES: Final = ("torch", "timm", "onnx", "onnxscript", "onnxruntime")
_SOURCES: Final = ("backbones/*.py", "graphs/*.py", "packaged.py", "training/randomness.py")  # decide what it computes
GRAPH, FACTS = "graph.onnx", "facts.json"
_CHILD: Final = "members.graphs.make"
_FOLDER: Final = "who-took-this-photo"


class NoGraph(Exception):
    """A network that has no graph, or none now; the message is the reason."""


@dataclass(frozen=True)
class Request:
    """A frozen network, up to some layers.

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
        weights_as_named = "" if content else self.weights
        text = json.dumps([_exported_by(), content, {**asdict(self), "weights": weights_as_named}])
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


def made(request: Request) -> Made:
    """Return the graph of a network, which is made if it is not there, by a process that has torch or gets it.

    Raises
    ------
    NoGraph
        The network cannot be a graph, or none can be made now: no process of this kind tries again.
    WeightsError, ValueError
        The weights or a parameter are not as they should be.
    """
    found = _made(request.key, request)
    if isinstance(found, str):
        raise NoGraph(found)
    return found


def opened(request: Request, threads: int) -> tuple[Graph, int]:
    """Return a network as a graph, and how many photographs it computes at once.

    Raises
    ------
    NoGraph, WeightsError, ValueError
        As `made`; also where the cached graph is damaged: then the next process makes it again.
    """
    found = made(request)
    try:
        return read_graph(found.path, threads), found.at_once
    except Exception as error:  # onnxruntime documents no list of what it raises
        _remove_if_damaged(found.path.parent)
        why = (isinstance(error, OSError) and error.strerror) or error
        raise NoGraph(f"{found.path} cannot be read ({why})") from None


def _remove_if_damaged(folder: Path) -> None:
    with suppress(OSError, NotImplementedError), FileLock(folder.with_suffix(".lock")):
        facts = read_facts(folder)
        if facts is None or hashlib.sha256((folder / GRAPH).read_bytes()).hexdigest() != facts.get("sha256"):
            shutil.rmtree(folder, ignore_errors=True)
            _made.cache_clear()


@lru_cache(maxsize=32)
def _made(key: str, request: Request) -> Made | str:
    """Return a graph, or why there is none."""
    try:
        folder = cache_folder() / key
        facts = read_facts(folder)
        if facts is None:
            with FileLock(folder.with_suffix(".lock")):
                facts = read_facts(folder) or _make(request, folder)
    except (NoGraph, OSError, NotImplementedError) as reason:  # a full disk; file systems without locks
        return str(reason)
    return facts.get("no_graph") or Made(facts["widths"], folder / GRAPH, facts.get("at_once", 1))


def cache_folder() -> Path:
    """Return the folder of all graphs: in the user's cache, or else in a folder of the user's among temporary files.

    Raises
    ------
    NoGraph
        Neither can be written.
    """
    user = getattr(os, "getuid", lambda: 0)()
    temporary = Path(tempfile.gettempdir()) / f"{_FOLDER}-{user}"
    for folder in (Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / _FOLDER, temporary):
        if not folder.is_absolute():  # nobody knows a home
            continue
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.access(folder, os.W_OK) and (folder != temporary or folder.stat().st_uid == user):
                (folder / "graphs").mkdir(exist_ok=True)
                return folder / "graphs"
    raise NoGraph(f"neither the user's cache nor {temporary} can be written")


def read_facts(folder: Path) -> dict[str, Any] | None:
    """Return what is known of a network; None if that, or the graph itself, is missing or incomplete."""
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        size = facts.get("bytes")
        whole = "widths" in facts and (size is None or (folder / GRAPH).stat().st_size == size)
    except (OSError, ValueError, AttributeError):
        return None
    return facts if whole else None


def _make(request: Request, folder: Path) -> dict[str, Any]:
    """Make a graph here if torch is loaded, or else in a process of its own: torch and timm take 600 MB."""
    if "torch" in sys.modules:
        from members.graphs.make import make

        return make(request, folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", _CHILD, json.dumps(asdict(request)), str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode < 0:
        raise NoGraph(f"the process that makes it was killed (signal {-done.returncode})")
    facts = read_facts(folder)
    if facts is None:
        error = done.stdout.strip().splitlines()[-1:] or done.stderr.strip().splitlines()[-1:] or ["it ended early"]
        kind, _, message = error[0].partition(": ")
        raise _ERRORS.get(kind, NoGraph)(message or kind)
    return facts


_ERRORS: Final[dict[str, Callable[[str], Exception]]] = {"WeightsError": WeightsError, "ValueError": ValueError}


@cache
def _exported_by() -> list[str]:
    """Return what a graph depends on beside its network: versions of packages, and this code."""
    root = Path(__file__).parents[1]
    sources = sorted(file for pattern in _SOURCES for file in root.glob(pattern))
    code = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    return [code, *map(_version, _PACKAGES)]


def _version(package: str) -> str:
    for name in (package, f"{package}-gpu"):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return ""


@lru_cache(maxsize=16)
def _file_sha256(path: str, changed: int) -> str:  # noqa: ARG001  a file that was changed is read again
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
