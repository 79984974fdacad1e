"""How the coefficients of 8 x 8 blocks are spread: Laplacian scales (Giudice et al., 2021) and tails."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from members.forensics.family import Family
from members.forensics.photograph import BLOCK, CHANNELS, Floats, Photograph

FLOOR = 1e-3  # grey levels; a flat plane's betas are its logarithm
STATISTICS = ("beta_moment", "beta_ml", "kurtosis")


def block_statistics(photograph: Photograph) -> Floats:
    """Return log betas and log kurtosis of the 63 AC coefficients in zig-zag order, for Y, Cb and Cr.

    With a the values of one coefficient over all blocks in grey levels, these are the logarithms of
    `beta_moment` = std(a) / sqrt 2 and `beta_ml` = mean |a - median a|, which both estimate the scale of a
    Laplacian and differ where it is none, and of `kurtosis` = m4 / m2^2.
    """
    coefficients = _block_dct(photograph.ycc)
    ml = np.abs(coefficients - np.median(coefficients, axis=-1, keepdims=True)).mean(axis=-1)
    squares = np.square(coefficients - coefficients.mean(axis=-1, keepdims=True))
    m2, m4 = squares.mean(axis=-1), np.square(squares).mean(axis=-1)
    moment = np.sqrt(m2 / 2)
    # The floors make a flat plane's kurtosis 1, the least there is.
    kurtosis = (m4 + FLOOR**4) / np.square(m2 + FLOOR**2)
    return np.stack([np.log(moment + FLOOR), np.log(ml + FLOOR), np.log(kurtosis)], axis=1).ravel()


def _block_dct(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Orthonormal DCT-II of each 8 x 8 block, (channels, height, width) to (channels, 63, blocks)."""
    channels, height, width = planes.shape
    blocks = planes.reshape(channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return _BASIS @ blocks.transpose(0, 2, 4, 1, 3).reshape(channels, BLOCK * BLOCK, -1)


def _zigzag() -> list[tuple[int, int]]:
    """Return the places of a block in the order of JPEG (ITU-T T.81): by diagonals, turning at each."""
    places = [(row, column) for row in range(BLOCK) for column in range(BLOCK)]
    return sorted(places, key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1]))


def _basis() -> npt.NDArray[np.float32]:
    """Return the 63 AC basis images in zig-zag order, float32 (63, 64)."""
    axis = scipy.fft.dct(np.eye(BLOCK), axis=0, norm="ortho")
    return np.array([np.outer(axis[v], axis[u]).ravel() for v, u in _zigzag()[1:]], dtype=np.float32)


_BASIS = _basis()

FAMILY = Family(
    tuple(
        f"{channel}/{statistic}_{k:02d}"
        for channel in CHANNELS
        for statistic in STATISTICS
        for k in range(1, BLOCK * BLOCK)
    ),
    block_statistics,
)
