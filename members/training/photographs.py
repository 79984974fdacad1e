"""Batches of photographs for a network: gathered one by one, or from a copy of all on the GPU where they fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch

from members.photographs import Photographs, Rows
from members.training.arithmetic import Arithmetic

Reader = Callable[[Rows], torch.Tensor]  # rows to uint8 (rows, height, width, 3) on the device

_SHARE_FOR_PHOTOGRAPHS: Final = 0.4  # of a GPU's free memory; the rest is for activations, and for other folds
_ROWS_AT_ONCE: Final = 256


def reader(X: Photographs, arithmetic: Arithmetic) -> Reader:
    """Return the function that fetches a batch. A GPU with room for all photographs gets them once, as bytes."""
    free = arithmetic.free_bytes()
    if free is None or int(np.prod(X.shape)) > _SHARE_FOR_PHOTOGRAPHS * free:
        return lambda rows: arithmetic.tensor(X[rows])
    return resident(X, arithmetic)


def resident(X: Photographs, arithmetic: Arithmetic) -> Reader:
    """Copy all photographs to the device, a few at a time, and return the function that selects a batch there."""
    pixels = torch.empty(tuple(X.shape), dtype=torch.uint8, device=arithmetic.device)
    for start in range(0, len(X), _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(X)))
        pixels[start : start + len(rows)] = arithmetic.tensor(X[rows])
    return lambda rows: pixels[arithmetic.tensor(rows)]
