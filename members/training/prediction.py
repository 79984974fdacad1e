"""A fitted network's logits, batch by batch, averaged over mirror images and aligned crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from members.training.arithmetic import Arithmetic
from members.training.crops import crop_grid, cut
from members.training.photographs import Photographs


@torch.inference_mode()
def predict_logits(
    network: nn.Module,
    X: Photographs,
    batch_size: int,
    *,
    flip: bool,
    crop: int | None,
    arithmetic: Arithmetic,
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield float64 (rows, classes) for one batch after the other: the mean over all views of a photograph."""
    network.to(arithmetic.device).eval()
    for start in range(0, len(X), batch_size):
        photographs = arithmetic.tensor(X[np.arange(start, min(start + batch_size, len(X)))])
        yield mean_logits(network, photographs, flip=flip, crop=crop, arithmetic=arithmetic).cpu().numpy()


def mean_logits(
    network: nn.Module, photographs: torch.Tensor, *, flip: bool, crop: int | None, arithmetic: Arithmetic
) -> torch.Tensor:
    """Return float64 (n, classes), the mean over all views, of uint8 (n, height, width, 3) on the device."""
    with arithmetic.autocast():
        logits = [in_halves(network, view).double() for view in views(photographs, flip=flip, crop=crop)]
    return torch.stack(logits).mean(0)


def views(photographs: torch.Tensor, *, flip: bool, crop: int | None) -> Iterator[torch.Tensor]:
    """Yield all views of photographs (n, height, width, 3): each crop of the grid, and its mirror image."""
    size = (photographs.shape[1], photographs.shape[2])
    for corner in crop_grid(size, crop) if crop else [(0, 0)]:
        view = cut(photographs, corner, crop) if crop else photographs
        yield view
        if flip:
            yield view.flip(2)


def in_halves(compute: Callable[[torch.Tensor], torch.Tensor], photographs: torch.Tensor) -> torch.Tensor:
    """Compute rows; if memory runs out, one half after the other, down to one photograph."""
    try:
        return compute(photographs)
    except torch.OutOfMemoryError:
        if len(photographs) == 1:
            raise
    # Outside the except, where the error would keep the failed call's tensors alive.
    return torch.cat([in_halves(compute, half) for half in photographs.chunk(2)])
