"""How the coefficients of 8 x 8 blocks are spread: Laplacian scales (Giudice et al., 2021) and tails."""

from __future__ import annotations

import numpy as np

from members.forensics.blocks import BLOCK
from members.forensics.family import Family
from members.forensics.photograph import CHANNELS, Floats, Photograph
from members.forensics.statistics import FLOOR, central_moments, log_tails, medians

STATISTICS = ("beta_moment", "beta_ml", "kurtosis")


def block_statistics(photograph: Photograph) -> Floats:
    """Return log betas and log kurtosis of the 63 AC coefficients in zig-zag order, for Y, Cb and Cr.

    With a the values of one coefficient over all blocks in grey levels, these are the logarithms of
    `beta_moment` = std(a) / sqrt 2 and `beta_ml` = mean |a - median a|, which both estimate the scale of a
    Laplacian and differ where it is none, and of `kurtosis` = m4 / m2^2.
    """
    coefficients = photograph.block_dct.reshape(len(CHANNELS) * (BLOCK**2 - 1), -1)
    moments = central_moments(coefficients, medians(coefficients))
    moment = np.log(np.sqrt(moments[:, 1] / 2) + FLOOR)
    columns = [moment, np.log(moments[:, 0] + FLOOR), log_tails(moments)]
    return np.stack([column.reshape(len(CHANNELS), -1) for column in columns], axis=1).ravel()


FAMILY = Family(
    tuple(
        f"{channel}/{statistic}_{k:02d}"
        for channel in CHANNELS
        for statistic in STATISTICS
        for k in range(1, BLOCK * BLOCK)
    ),
    block_statistics,
)
