"""Haar wavelet packets (Wolter et al., 2022), and the tails of Daubechies' wavelets from scale to scale."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
from scipy.linalg import hadamard
from scipy.special import gammaln

from members.forensics import daubechies
from members.forensics.blocks import BLOCK, block_columns
from members.forensics.compiled import compiled_or
from members.forensics.family import Family
from members.forensics.photograph import CHANNELS, Floats, Photograph
from members.forensics.statistics import central_moments, log_tails

Planes = npt.NDArray[np.float32]

FLOOR = 1e-2  # grey levels; single precision is some 1e-5 there
TINY = 1e-9  # a variance of logarithms that is only rounding
SCALES = 3
ORIENTATIONS = ("horizontal", "vertical", "diagonal")


def wavelets(photograph: Photograph) -> Floats:
    """Return statistics of Haar packets and of a Daubechies transform, for Y, Cb and Cr.

    Mean and deviation of log |w| of the 64 Haar packets of level 3. Then, of the nine detail bands of three scales of
    Daubechies' wavelets with four vanishing moments: log kurtosis; the shape of the generalised Gaussian
    exp(-|x / a|^shape) with their mean absolute value and variance (2 normal, 1 Laplacian; between 0.2 and 4); and the
    correlation of log |w| with that of its parent, one scale coarser.
    """
    return np.concatenate([_haar_packets(photograph.ycc), _daubechies(photograph.ycc)], axis=1).ravel()


def _haar_packets(planes: Planes) -> Floats:
    """Mean and deviation of log |w|, (channels, 128). Packets of level 3 are a Hadamard transform of 8 x 8 pixels."""
    logs = _log_magnitudes(_HAAR @ block_columns(planes))
    rows = logs.reshape(-1, logs.shape[-1])
    means = rows.mean(axis=1)
    deviations = np.sqrt(central_moments(rows, means)[:, 1])
    return np.column_stack([means, deviations]).reshape(len(planes), -1)


def _daubechies(planes: Planes) -> Floats:
    """Tails, shapes and inheritance of the detail bands, (channels, 24)."""
    scales = []
    for _ in range(SCALES):
        planes, details = daubechies.transform(planes)
        scales.append(details)
    moments = [_moments(band) for details in scales for band in details]
    # The shape by the ratio of moments (Mallat, 1989).
    ratios = [np.square(each[:, 0] + FLOOR) / (each[:, 1] + FLOOR**2) for each in moments]
    shapes = [np.interp(ratio, _RATIOS, _SHAPES) for ratio in ratios]
    logs = [[_log_magnitudes(band) for band in details] for details in scales]
    inherited = [
        _correlations(child, parent)
        for children, parents in pairwise(logs)
        for child, parent in zip(children, parents, strict=True)
    ]
    return np.stack([*(log_tails(each) for each in moments), *shapes, *inherited], axis=1)


def _moments(band: Planes) -> npt.NDArray[np.float64]:
    rows = band.reshape(len(band), -1)
    return central_moments(rows, np.zeros(len(rows), dtype=np.float32))


def _log_magnitudes(values: Planes) -> Planes:
    logs: Planes = np.log(np.abs(values) + np.float32(FLOOR))
    return logs


def _correlations(child: Planes, parent: Planes) -> Floats:
    """Pearson correlation of each plane with the coarser one, whose values have four children; 0 where one is flat."""
    count, a, b, aa, bb, ab = _sums(child, parent).T
    scale = np.sqrt(np.maximum(aa - a * a / count, 0) * np.maximum(bb - b * b / count, 0))
    correlations: Floats = np.divide(ab - a * b / count, scale, out=np.zeros_like(scale), where=scale > TINY * count)
    return correlations


def _sums_plain(child: Planes, parent: Planes) -> npt.NDArray[np.float64]:
    planes, height, width = child.shape
    four = parent.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
    x, y = (values.reshape(planes, -1).astype(np.float64) for values in (child, four))
    squares = [np.einsum("ij,ij->i", *pair) for pair in ((x, x), (y, y), (x, y))]
    return np.column_stack([np.full(planes, height * width), x.sum(axis=1), y.sum(axis=1), *squares])


@compiled_or(_sums_plain)
def _sums(child: Planes, parent: Planes) -> npt.NDArray[np.float64]:
    """Return the number of children a plane, and sums of child, parent, their squares and product: (planes, 6)."""
    sums = np.zeros((child.shape[0], 6))
    for plane in range(child.shape[0]):
        a, b, aa, bb, ab = 0.0, 0.0, 0.0, 0.0, 0.0
        for row in range(child.shape[1]):
            for column in range(child.shape[2]):
                x, y = np.float64(child[plane, row, column]), np.float64(parent[plane, row // 2, column // 2])
                a += x
                b += y
                aa += x * x
                bb += y * y
                ab += x * y
        sums[plane] = np.float64(child[plane].size), a, b, aa, bb, ab
    return sums


def _paths() -> list[str]:
    """Names of the packets along an axis in the order of a Hadamard matrix: `daa` is detail at the finest level."""
    return ["".join("ad"[number >> level & 1] for level in range(SCALES)) for number in range(BLOCK)]


_HAAR = (np.kron(hadamard(BLOCK), hadamard(BLOCK)) / BLOCK).astype(np.float32)
_SHAPES = np.linspace(0.2, 4, 381)
_RATIOS = np.exp(2 * gammaln(2 / _SHAPES) - gammaln(1 / _SHAPES) - gammaln(3 / _SHAPES))

_BANDS = [f"scale_{scale}_{orientation}" for scale, orientation in product(range(1, SCALES + 1), ORIENTATIONS)]

FAMILY = Family(
    tuple(
        f"{channel}/{column}"
        for channel in CHANNELS
        for column in (
            *(
                f"{down}_{right}_{name}"
                for down, right in product(_paths(), repeat=2)
                for name in ("mean", "deviation")
            ),
            *(f"{band}_kurtosis" for band in _BANDS),
            *(f"{band}_shape" for band in _BANDS),
            *(f"{band}_parent" for band in _BANDS[: -len(ORIENTATIONS)]),
        )
    ),
    wavelets,
)
