"""Checks of photographs and labels; a message is one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def check_photographs(X: Any) -> None:
    """Refuse all but uint8 (n, height, width, 3); only `X.dtype` and `X.shape` are read."""
    if not hasattr(X, "dtype") or not hasattr(X, "shape"):
        raise ValueError(f"X must be one array, uint8 (n, height, width, 3), not a {type(X).__name__}; see numpy.stack")
    if X.dtype != np.uint8 or len(X.shape) != 4 or X.shape[3] != 3:
        raise ValueError(f"X must be uint8 (n, height, width, 3), not {X.dtype} {tuple(X.shape)}")
    if min(X.shape[1:3]) < 1:
        raise ValueError(f"photographs must have pixels, and these are {X.shape[1]} x {X.shape[2]}")


def check_labels(y: npt.ArrayLike, rows: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the classes and every row's class number."""
    labels = np.asarray(y)
    if labels.shape != (rows,):
        raise ValueError(f"y must hold one label for each of the {rows} photographs, not shape {labels.shape}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError(f"y holds no label (NaN) for {np.isnan(labels).sum()} photographs")
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, and all labels are {classes.tolist()}")
    return classes, targets.astype(np.int64)
