"""How power falls with frequency: up-samplers leave a wrong decay (Durall et al., 2020) and a lattice."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.ndimage import median_filter

from members.forensics.family import Family
from members.forensics.photograph import CHANNELS, Floats, Photograph
from members.forensics.rings import azimuthal_average, decades, sector_average
from members.forensics.statistics import medians

Indices = npt.NDArray[np.intp]

RINGS_PER_CYCLE = 256  # ring k is around k / 256 cycles a pixel, at every size of photograph
RINGS = 182  # up to the corners, at sqrt(1/2) cycles a pixel
NYQUIST = 128  # the rings beyond it are corners only
LOW = slice(4, 9)  # the rings that measure a photograph's contrast
SECTORS, SECTOR_RINGS = 8, 16  # to half a cycle a pixel
FLOOR = 1e-8  # squared grey levels; far below the rounding noise of eight bits, 1/12
# Where x2 and x4 up-sampling leaves replicas: row and column frequency in quarter cycles a pixel.
LATTICE = ((0, 2), (2, 0), (2, 2), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1))
SLOPES = ((8, 64), (64, 120), (8, 120))
SCALARS = (
    *(f"slope_{first}_{last}" for first, last in SLOPES),
    *("bend", "level", "top_band", "peak", "peak_ring", "dip", "dip_ring", "roughness"),
)
COLUMNS = (
    *(f"azimuthal_{ring:03d}" for ring in range(RINGS)),
    *SCALARS,
    *(f"lattice_{row}_{column}" for row, column in LATTICE),
)


def spectrum(photograph: Photograph) -> Floats:
    """Return the azimuthal averages, what is derived from them, and the lattice peaks, for Y, Cb and Cr.

    Then, for Y, how far each sector of a ring is above the ring's average, in decades.
    """
    power = _power(photograph.ycc)
    logs = decades(power + np.float32(FLOOR))
    planes = [_of_plane(*plane) for plane in zip(power, logs, strict=True)]
    return np.concatenate([*planes, _orientation(logs[0]).ravel()])


def log_power(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log10 of the windowed periodogram in squared grey levels, (n, height, width) to (n, height, width / 2 + 1)."""
    return decades(_power(planes) + np.float32(FLOOR))


def curves(photograph: Photograph) -> Floats:
    """Return the azimuthal averages alone, from 0 to half a cycle a pixel, of Y, Cb and Cr: (387,)."""
    averages = [azimuthal_average(plane, RINGS_PER_CYCLE, NYQUIST + 1) for plane in log_power(photograph.ycc)]
    return np.concatenate([average - average[LOW].mean() for average in averages])


def _of_plane(power: Floats, logs: Floats) -> Floats:
    curve = azimuthal_average(logs, RINGS_PER_CYCLE, RINGS)
    level = curve[LOW].mean()
    # A difference of logarithms divides by the low-frequency power: contrast and exposure cancel.
    curve = curve - level
    return np.concatenate([curve, _scalars(curve, level), _lattice_peaks(power)])


def _orientation(logs: Floats) -> Floats:
    """Decades of each sector over its ring's average, (16, 8); 0 where a small photograph has too few of them."""
    means = sector_average(logs, 2 * SECTOR_RINGS, SECTOR_RINGS, SECTORS)
    is_there = ~np.isnan(means)
    count = np.maximum(is_there.sum(axis=1, keepdims=True), 1)
    average = np.where(is_there, means, 0).sum(axis=1, keepdims=True) / count
    return np.where(is_there, means - average, 0)


def _power(planes: npt.NDArray[np.float32]) -> Floats:
    """Hann-windowed periodogram in squared grey levels, of half the spectrum.

    (channels, height, width) to (channels, height, width / 2 + 1).
    """
    window = _hann(*planes.shape[1:])
    centred = planes - planes.mean(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    amplitudes = scipy.fft.rfft2(centred * window, axes=(1, 2))
    power: Floats = np.square(amplitudes.real) + np.square(amplitudes.imag)
    return power


@lru_cache(maxsize=8)
def _hann(height: int, width: int) -> npt.NDArray[np.float32]:
    """Two-dimensional Hann window of unit energy; symmetric, so that mirroring leaves the power as it is."""
    window = np.outer(np.hanning(height), np.hanning(width))
    window /= np.sqrt(np.square(window).sum())
    return window.astype(np.float32)


def _scalars(curve: Floats, level: float) -> Floats:
    slopes = [_slope(curve, first, last) for first, last in SLOPES]
    bumps = (curve - median_filter(curve, size=9, mode="nearest"))[8 : NYQUIST + 1]
    return np.array(
        [
            *slopes,
            slopes[1] - slopes[0],
            level,
            curve[96 : NYQUIST + 1].mean(),
            bumps.max(),
            8 + bumps.argmax(),
            bumps.min(),
            8 + bumps.argmin(),
            np.abs(np.diff(curve[8 : NYQUIST + 1], n=2)).mean(),
        ]
    )


def _slope(curve: Floats, first: int, last: int) -> float:
    """Least-squares slope of the log power against log10 of the ring, both ends included."""
    x = np.log10(np.arange(first, last + 1))
    x -= x.mean()
    return float(x @ curve[first : last + 1] / (x @ x))


def _lattice_peaks(power: Floats) -> Floats:
    """How far power stands out at quarter cycles, in decades over the median around it, shape (8,)."""
    inner, outer = _lattice(*power.shape)
    flat = power.ravel()
    peaks = flat[inner].mean(axis=1) + FLOOR
    around = medians(flat[outer]) + FLOOR
    decades: Floats = np.log10(peaks / around)
    return decades


@lru_cache(maxsize=8)
def _lattice(height: int, half_width: int) -> tuple[Indices, Indices]:
    """Return indices into a half spectrum: the 5 x 5 window at each lattice point, the 21 x 21 around it."""
    width = 2 * (half_width - 1)
    down, right = (steps.ravel() for steps in np.mgrid[-10:11, -10:11])
    near = np.maximum(np.abs(down), np.abs(right)) <= 2
    centres = [(row * height // 4, column * width // 4) for row, column in LATTICE]
    indices = np.array([_half_index(v + down, u + right, height, width) for v, u in centres])
    return indices[:, near], indices[:, ~near]


def _half_index(v: Indices, u: Indices, height: int, width: int) -> Indices:
    """Flat index into the half spectrum of any coefficient of the whole one: P(v, u) = P(-v, -u)."""
    mirrored = u % width > width // 2
    v, u = np.where(mirrored, -v, v) % height, np.where(mirrored, -u, u) % width
    return v * (width // 2 + 1) + u


FAMILY = Family(
    (
        *(f"{channel}/{column}" for channel in CHANNELS for column in COLUMNS),
        *(f"Y/ring_{ring:02d}_sector_{sector}" for ring in range(SECTOR_RINGS) for sector in range(SECTORS)),
    ),
    spectrum,
)
