"""Which engine runs a network forward: ONNX Runtime on CPUs, torch on GPUs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

_DRIVERS: Final = ("nvidia*", "dxg", "kfd")  # of GPUs: NVIDIA's, that of Windows' Linux, AMD's


def use_graph(engine: str, device: str, precision: str) -> bool:
    """Return whether a network runs as a graph, on the CPU in single precision, rather than on torch.

    Raises
    ------
    ValueError
        ONNX Runtime was asked for, with a device or a precision that it is not used for.
    """
    fits = device != "cuda" and precision in ("auto", "float32")
    if engine == "onnxruntime" and not fits:
        raise ValueError(f'engine="onnxruntime" computes on the CPU in float32, not on {device} in {precision}')
    if engine == "auto":
        return fits and not (device == "auto" and _gpu_is_here())
    return engine == "onnxruntime"


def _gpu_is_here() -> bool:
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return False
    if sys.platform == "linux" and not any(list(Path("/dev").glob(driver)) for driver in _DRIVERS):
        return False  # importing torch takes seconds

    import torch

    return torch.cuda.is_available()
