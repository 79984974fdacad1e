"""Networks read back from a bundle, as graphs. They need NumPy and ONNX Runtime, but neither torch nor scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from members.crops import views
from members.graphs.cache import GRAPH
from members.graphs.session import Graph
from members.photographs import Photographs
from members.pooling import Floats, Pooling

LOGITS = "logits"  # the output of a classifier's network
SMALLEST_PROBABILITY = 1e-12  # of a copy, in a mean of several
AT_ONCE = 4  # photographs: more are no faster on a CPU, and take memory


class BundledEmbedding:
    """Columns of photographs from a frozen network: what `members.embedding.FrozenEmbedding` exported.

    Parameters
    ----------
    files : dict of str to bytes
        The graph.
    settings : dict
        What `export` returned.
    threads : int
        Threads that compute.
    """

    def __init__(self, files: Mapping[str, bytes], settings: Mapping[str, Any], threads: int) -> None:
        named = {name: settings[name] for name in ("layers", "statistics", "flip", "crop")}
        self._pooling, self._at_once = Pooling(**named), int(settings["at_once"])
        self._graph = Graph(files[GRAPH], threads)

    def __call__(self, X: Photographs) -> Floats:
        """Return columns float32 (n, columns) of uint8 (n, height, width, 3)."""
        return np.concatenate(list(self._pooling.columns(self._graph, X, self._at_once)))


class BundledClassifier:
    """A fine-tuned network: what `members.cnn.ImageClassifier` exported, or `members.seeds.SeedAverage` of several.

    Parameters
    ----------
    files : dict of str to bytes
        The graphs.
    settings : dict
        `graphs` (names of files), `flip` and `crop`.
    """

    def __init__(self, files: Mapping[str, bytes], settings: Mapping[str, Any], threads: int) -> None:
        self._views = {"flip": bool(settings["flip"]), "crop": settings["crop"]}
        self._graphs = [Graph(files[name], threads) for name in settings["graphs"]]

    def __call__(self, X: Photographs) -> npt.NDArray[np.float64]:
        """Return the probability of fake, float64 (n,), of uint8 (n, height, width, 3)."""
        starts = range(0, len(X), AT_ONCE)
        return np.concatenate([self._some(X[np.arange(start, min(start + AT_ONCE, len(X)))]) for start in starts])

    def _some(self, photographs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return the normalised geometric mean of the copies' probabilities, each that of the mean logits of views."""
        copies = []
        for graph in self._graphs:
            seen = [graph(view)[LOGITS] for view in views(photographs, **self._views)]
            probabilities = softmax(np.mean(seen, axis=0, dtype=np.float64), axis=1)
            copies.append(np.log(np.clip(probabilities, SMALLEST_PROBABILITY, 1)))
        fake: npt.NDArray[np.float64] = softmax(np.mean(copies, axis=0), axis=1)[:, 1]
        return fake
