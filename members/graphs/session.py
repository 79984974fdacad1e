"""A graph on ONNX Runtime, on the CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

INPUT = "photographs"


class Graph:
    """A network: photographs uint8 (n, height, width, 3) in, arrays by name out.

    Parameters
    ----------
    model : str or bytes
        Path or content of an ONNX file.
    threads : int
        Threads that compute.
    """

    def __init__(self, model: str | bytes, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.names = [output.name for output in self._session.get_outputs()]

    def __call__(self, photographs: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
        """Compute all outputs."""
        found: Sequence[Any] = self._session.run(None, {INPUT: np.ascontiguousarray(photographs)})
        return dict(zip(self.names, found, strict=True))


@lru_cache(maxsize=4)
def read_graph(path: Path, threads: int) -> Graph:
    """Read a graph, once for all calls of a process."""
    return Graph(str(path), threads)


def threads_to_use() -> int:
    """Return the threads that the caller has set for numerical libraries, or else those of the machine."""
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1
