"""First digits of quantised DCT coefficients: those of a photograph follow Benford's law (Bonettini et al., 2020)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from members.forensics.family import Family
from members.forensics.photograph import Floats, Photograph

COEFFICIENTS = 9  # of the AC ones, in zig-zag order
QUALITIES = (100, 90)  # of JPEG
_TABLE = np.array([11, 12, 14, 12, 10, 16, 14, 13, 14])  # luminance at quality 50 (ITU-T T.81, K.1), zig-zag
DIGITS = np.arange(1, 10)
STATISTICS = ("scale", "shift", "power", "jensen_shannon", "kullback_leibler")
PSEUDOCOUNT = 0.5  # for each digit (Jeffreys), so that one that does not occur in a small photograph has a logarithm


def first_digits(photograph: Photograph) -> Floats:
    """Return, for each quality and coefficient of Y, the law next to its first digits and how far they are from it.

    The law is p(d) = scale * log10(1 + 1 / (shift + d^power)), the nearest on a grid by Kullback-Leibler divergence;
    shift 0 and power 1 are Benford's; the scale makes it sum to one, where the paper fits it too. Then the
    Jensen-Shannon and the symmetrised Kullback-Leibler divergence, in nats.
    """
    return np.concatenate([_of_quality(photograph, step).ravel() for step in _steps()])


def _steps() -> list[npt.NDArray[np.float32]]:
    """Return JPEG's quantisation steps of the first coefficients at each quality, as libjpeg scales them."""
    return [np.maximum((_TABLE * (200 - 2 * quality) + 50) // 100, 1).astype(np.float32) for quality in QUALITIES]


def _of_quality(photograph: Photograph, step: npt.NDArray[np.float32]) -> Floats:
    quantised = np.rint(photograph.block_dct[0, :COEFFICIENTS] / step[:, None])
    digits = _FIRST_DIGIT[np.abs(quantised).astype(np.intp)]
    counts = np.array([np.bincount(row, minlength=10)[1:] for row in digits]) + PSEUDOCOUNT
    shares = counts / counts.sum(axis=1, keepdims=True)
    nearest = (shares @ _LOG_LAWS).argmax(axis=1)
    laws = np.exp(_LOG_LAWS[:, nearest].T)
    middle = (shares + laws) / 2
    jensen_shannon = (_divergence(shares, middle) + _divergence(laws, middle)) / 2
    symmetrised = _divergence(shares, laws) + _divergence(laws, shares)
    return np.column_stack([_PARAMETERS[nearest], jensen_shannon, symmetrised])


def _divergence(p: Floats, q: Floats) -> Floats:
    """Kullback-Leibler divergence of rows, in nats."""
    total: Floats = (p * np.log(p / q)).sum(axis=1)
    return total


def _laws() -> tuple[Floats, Floats]:
    """Return the parameters of all laws on the grid, (laws, 3), and their logarithms, (9, laws)."""
    shift, power = (axis.ravel() for axis in np.meshgrid(np.linspace(-0.96, 4, 63), np.linspace(0.1, 4, 79)))
    shapes = np.log10(1 + 1 / (shift + DIGITS[:, None] ** power))
    scale = 1 / shapes.sum(axis=0)
    return np.column_stack([scale, shift, power]), np.log(scale * shapes)


_PARAMETERS, _LOG_LAWS = _laws()
_FIRST_DIGIT = np.array([int(str(number)[0]) for number in range(8 * 255 + 1)])  # no coefficient is larger

FAMILY = Family(
    tuple(
        f"Y/quality_{quality}/{statistic}_{k}"
        for quality in QUALITIES
        for k in range(1, COEFFICIENTS + 1)
        for statistic in STATISTICS
    ),
    first_digits,
)
