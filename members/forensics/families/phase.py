"""Phase without amplitude: SPSL (Liu et al., 2021) and local phase quantisation (Ojansivu and Heikkila, 2008)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from members.forensics.compiled import compiled_or, multiply_add
from members.forensics.family import Family
from members.forensics.photograph import Floats, Photograph
from members.forensics.rings import azimuthal_average, decades
from members.forensics.statistics import central_moments, log_kurtosis, log_tails

CELLS = 4  # along a side
RINGS, RINGS_PER_CYCLE = 32, 64  # the last is around half a cycle a pixel
WINDOW = 7  # pixels; the frequency of local phase quantisation is one cycle a window
TINY = 1e-8  # of powers and variances of an image of unit variance
LEAST = 1e-2  # grey levels: what is nearer to zero has no phase, as in a flat plane; single precision errs less


def phase(photograph: Photograph) -> Floats:
    """Return statistics of Y's phase-only reconstruction, and the histogram of its local phases.

    The reconstruction s = Re IFFT(exp(i angle FFT)) is scaled to unit variance: log kurtosis, share of |s| > 3, log10
    power of |s| in 32 rings; log variance, log kurtosis and share of |s| > 3 in 4 x 4 cells. The local phases are eight
    signs, of the real and the imaginary parts of four frequencies in windows of 7 x 7 pixels: 256 shares.
    """
    luminance = photograph.ycc[0]
    reconstruction = _phase_only(luminance)
    local = np.bincount(_local_phases(luminance, *_wave()).ravel(), minlength=256)
    return np.concatenate([_whole(reconstruction), _cells(reconstruction).ravel(), local / local.sum()])


def _phase_only(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Reconstruct a plane from its phases, without frequencies whose amplitude is rounding alone."""
    spectrum = scipy.fft.rfft2(plane - plane.mean(dtype=np.float64).astype(np.float32))
    amplitude = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag))  # NumPy's abs guards against overflow
    is_there = amplitude > np.float32(LEAST * np.sqrt(plane.size))
    phases = np.divide(spectrum, amplitude, out=np.zeros_like(spectrum), where=is_there)
    image: npt.NDArray[np.float32] = scipy.fft.irfft2(phases, s=plane.shape)
    image -= image.mean()
    deviation = image.std()
    return image / deviation if deviation > 0 else image


def _whole(image: npt.NDArray[np.float32]) -> Floats:
    strength = np.abs(image)
    spectrum = scipy.fft.rfft2(strength - strength.mean())
    power = (np.square(spectrum.real) + np.square(spectrum.imag)) / np.float32(image.size)
    # Ring 0 is left out: the mean was taken out.
    curve = azimuthal_average(decades(power + np.float32(TINY)), RINGS_PER_CYCLE, RINGS + 1)[1:]
    return np.concatenate([[log_kurtosis(image.ravel()), (strength > 3).mean()], curve])


def _cells(image: npt.NDArray[np.float32]) -> Floats:
    """Statistics by cell, (16, 3)."""
    cells = [cell for rows in np.array_split(image, CELLS) for cell in np.array_split(rows, CELLS, axis=1)]
    moments = np.concatenate([central_moments(cell.reshape(1, -1), _ZERO) for cell in cells])
    beyond = [np.count_nonzero(np.abs(cell) > 3) / cell.size for cell in cells]
    return np.column_stack([np.log(moments[:, 1] + TINY), log_tails(moments), beyond])


def _wave() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Cosine and sine of one cycle a window, around its middle."""
    angle = 2 * np.pi * (np.arange(WINDOW) - WINDOW // 2) / WINDOW
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _local_phases_plain(
    plane: npt.NDArray[np.float32], cosine: npt.NDArray[np.float32], sine: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    height, width = (side - WINDOW + 1 for side in plane.shape)
    total, even, odd = np.zeros((3, height, plane.shape[1]), dtype=np.float32)
    for down in range(WINDOW):
        rows = plane[down : down + height]
        total += rows
        multiply_add(cosine[down], rows, even)
        multiply_add(sine[down], rows, odd)
    parts = np.zeros((8, height, width), dtype=np.float32)
    for right in range(WINDOW):
        c, s = cosine[right], sine[right]
        t, e, o = (values[:, right : right + width] for values in (total, even, odd))
        multiply_add(c, t, parts[0])
        multiply_add(s, t, parts[1])
        ce, se, co, so = c * e, s * e, c * o, s * o  # each for two parts, so that the compiler rounds them too
        for part, addend in zip(parts[2:], (e, o, ce - so, se + co, ce + so, co - se), strict=True):
            part += addend
    codes = np.zeros((height, width), dtype=np.uint8)
    for part in parts:
        codes = 2 * codes + (part > np.float32(LEAST))
    return codes


@compiled_or(_local_phases_plain)
def _local_phases(
    plane: npt.NDArray[np.float32], cosine: npt.NDArray[np.float32], sine: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Eight signs of each pixel whose window is whole.

    The real and the imaginary part at (0, a), (a, 0), (a, a) and (a, -a), a being one cycle a window.
    """
    height, width = plane.shape
    codes = np.empty((height - WINDOW + 1, width - WINDOW + 1), dtype=np.uint8)
    for top in range(len(codes)):
        total, even, odd = np.zeros(width, np.float32), np.zeros(width, np.float32), np.zeros(width, np.float32)
        for down in range(WINDOW):
            for column in range(width):
                level = plane[top + down, column]
                total[column] += level
                even[column] += cosine[down] * level
                odd[column] += sine[down] * level
        parts = np.zeros((8, codes.shape[1]), np.float32)
        for right in range(WINDOW):
            c, s = cosine[right], sine[right]
            for column in range(codes.shape[1]):
                t, e, o = total[column + right], even[column + right], odd[column + right]
                parts[0, column] += c * t
                parts[1, column] += s * t
                parts[2, column] += e
                parts[3, column] += o
                parts[4, column] += c * e - s * o
                parts[5, column] += s * e + c * o
                parts[6, column] += c * e + s * o
                parts[7, column] += c * o - s * e
        for column in range(codes.shape[1]):
            code = 0
            for part in range(8):
                code = 2 * code + (parts[part, column] > LEAST)
            codes[top, column] = code
    return codes


_ZERO = np.zeros(1, dtype=np.float32)

FAMILY = Family(
    (
        *("Y/kurtosis", "Y/beyond_3"),
        *(f"Y/strength_{ring:02d}" for ring in range(1, RINGS + 1)),
        *(
            f"Y/cell_{row}_{column}_{name}"
            for row in range(CELLS)
            for column in range(CELLS)
            for name in ("variance", "kurtosis", "beyond_3")
        ),
        *(f"Y/local_{code:03d}" for code in range(256)),
    ),
    phase,
)
