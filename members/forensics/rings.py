"""Averages of a spectrum over rings of equal frequency, and over parts of rings."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from members.forensics.photograph import Floats

Indices = npt.NDArray[np.intp]


def decades(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return log10, by way of the natural logarithm, which is several times as fast."""
    logs: npt.NDArray[np.float32] = np.log(power) * np.float32(1 / np.log(10))
    return logs


def azimuthal_average(values: Floats, per_cycle: int, count: int) -> Floats:
    """Mean of half a spectrum in rings of equal frequency, shape (count,).

    Parameters
    ----------
    values : float array (height, width / 2 + 1)
        In the order of `scipy.fft.rfft2`.
    per_cycle : int
        Ring k holds the radii r, in cycles a pixel, with floor(per_cycle * r + 1/2) = k, so that a ring means the same
        at every size of photograph.
    count : int
        Rings from 0 on. A small photograph leaves some empty; they are interpolated.
    """
    ring, share, filled = _rings(*values.shape, per_cycle)
    means = np.bincount(ring, weights=share * values.ravel())
    return np.interp(np.arange(count), filled, means[filled])


def sector_average(values: Floats, per_cycle: int, rings: int, sectors: int) -> Floats:
    """Mean of half a spectrum in parts of rings, shape (rings, sectors); NaN where a small photograph has none.

    Sector 0 is around frequencies along rows (waves that are seen when going right), the next ones turn by 180 degrees
    over their number; opposite frequencies are one.
    """
    cell, weight = _sectors(*values.shape, per_cycle, rings, sectors)
    total = np.bincount(cell, weights=weight, minlength=rings * sectors + 1)[:-1]
    sums = np.bincount(cell, weights=weight * values.ravel(), minlength=rings * sectors + 1)[:-1]
    means = np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0)
    return means.reshape(rings, sectors)


@lru_cache(maxsize=4)
def _rings(height: int, half_width: int, per_cycle: int) -> tuple[Indices, Floats, Indices]:
    """Each coefficient's ring, its share of the ring's mean, and which rings hold any."""
    down, right = _frequencies(height, half_width)
    ring = np.floor(per_cycle * np.hypot(down, right) + 0.5).astype(np.intp).ravel()
    weight = _weights(height, half_width)
    total = np.bincount(ring, weights=weight)
    return ring, weight / total[ring], np.flatnonzero(total)


@lru_cache(maxsize=2)
def _sectors(height: int, half_width: int, per_cycle: int, rings: int, sectors: int) -> tuple[Indices, Floats]:
    """Each coefficient's part of a ring, the last number for those in none, and its weight."""
    down, right = _frequencies(height, half_width)
    ring = np.floor(per_cycle * np.hypot(down, right)).astype(np.intp)
    sector = np.floor(np.arctan2(down, right) / np.pi * sectors + 0.5).astype(np.intp) % sectors
    is_inside = (ring < rings) & (np.hypot(down, right) > 0)
    return np.where(is_inside, ring * sectors + sector, rings * sectors).ravel(), _weights(height, half_width)


def _frequencies(height: int, half_width: int) -> tuple[Floats, Floats]:
    """Cycles a pixel of each coefficient, down and to the right."""
    down, right = np.meshgrid(np.fft.fftfreq(height), np.fft.rfftfreq(2 * (half_width - 1)), indexing="ij")
    return down, right


def _weights(height: int, half_width: int) -> Floats:
    """Return 2 for a coefficient that stands for its conjugate too, 1 where the half spectrum contains both."""
    weight = np.full((height, half_width), 2.0)
    weight[:, [0, -1]] = 1.0
    return weight.ravel()
