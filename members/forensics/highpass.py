"""High-pass residuals in whole numbers, used by more than one family.

The kernels are those of the rich models (Fridrich and Kodovsky, 2012). All are built from differences, so
that a plane is filtered by a few additions. The sign of a kernel is arbitrary: the statistics ignore it.
"""

from __future__ import annotations

import numpy as np

from members.forensics.photograph import Levels

BORDER = 3  # pixels left out all around: padding leaves traces of its own there


def differences(plane: Levels, order: int, axis: int) -> Levels:
    """Return the residual of [-1 1], [1 -2 1] or [-1 3 -3 1] along an axis, shorter by `order`."""
    return np.diff(plane, n=order, axis=axis)


def ker_bohme(plane: Levels) -> Levels:
    """Return the residual of the 3 x 3 kernel [1 -2 1]^T [1 -2 1], without a border of 1."""
    return differences(differences(plane, 2, axis=-2), 2, axis=-1)


def ker_5x5(kb: Levels) -> Levels:
    """Return the residual of the 5 x 5 kernel KV from that of `ker_bohme`, without a border of 1 more.

    KV is exactly twice the 3 x 3 kernel plus its four copies moved by one along the diagonals. Its largest
    value, 96 times 255 levels, is more than int16 holds in quarters of a level.
    """
    kb = kb.astype(np.int32)
    corners = kb[:-2, :-2] + kb[:-2, 2:] + kb[2:, :-2] + kb[2:, 2:]
    return corners + 2 * kb[1:-1, 1:-1]
