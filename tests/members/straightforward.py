"""Every feature family as one would write it with NumPy and SciPy from its formula: what the fast code must equal.

Each function takes uint8 (height, width, 3), its sides multiples of 8, and returns the family's columns in order.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
import pywt
import scipy.fft
from scipy.ndimage import median_filter
from scipy.signal import correlate2d
from scipy.special import gamma
from scipy.stats import kurtosis

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
KERNELS = {
    "1st": ([[-1, 1]], 1),
    "2nd": ([[1, -2, 1]], 2),
    "3rd": ([[1, -3, 3, -1]], 3),
    "kb": ([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], 4),
    "kv": ([[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]], 12),
}
ZIGZAG = sorted(product(range(8), repeat=2), key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1]))


def planes_of(X: Pixels) -> Floats:
    return (X @ TO_YCC.T).transpose(2, 0, 1)


def quarter_levels(X: Pixels) -> npt.NDArray[np.int64]:
    millionths = X.astype(np.int64) @ np.rint(1e6 * TO_YCC).astype(np.int64).T
    return ((4 * millionths + 500_000) // 1_000_000).transpose(2, 0, 1)


# Spectrum


def spectrum(X: Pixels) -> Floats:
    planes = planes_of(X)
    curves = [of_plane(plane, profile) for plane in planes]
    return np.concatenate([*curves, sectors(log_power(planes[0])).ravel()])


def log_power(plane: Floats) -> Floats:
    return np.log10(power_of(plane) + 1e-8)


def power_of(plane: Floats) -> Floats:
    window = np.outer(np.hanning(plane.shape[0]), np.hanning(plane.shape[1]))
    return np.abs(np.fft.fft2((plane - plane.mean()) * window)) ** 2 / (window**2).sum()


def radius_of(shape: tuple[int, ...]) -> Floats:
    return np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))


def profile(logs: Floats, per_cycle: int = 256, count: int = 182) -> Floats:
    ring = np.floor(per_cycle * radius_of(logs.shape) + 0.5).astype(int).ravel()
    number = np.bincount(ring)
    means = np.bincount(ring, weights=logs.ravel()) / np.maximum(number, 1)
    return np.interp(np.arange(count), np.flatnonzero(number), means[number > 0])


def of_plane(plane: Floats, average) -> Floats:
    power = power_of(plane)
    curve = average(np.log10(power + 1e-8))
    level = curve[4:9].mean()
    curve = curve - level
    slopes = [
        np.polyfit(np.log10(np.arange(a, b + 1)), curve[a : b + 1], 1)[0] for a, b in ((8, 64), (64, 120), (8, 120))
    ]
    bumps = (curve - median_filter(curve, 9, mode="nearest"))[8:129]
    ends = [bumps.max(), 8 + bumps.argmax(), bumps.min(), 8 + bumps.argmin(), np.abs(np.diff(curve[8:129], 2)).mean()]
    return np.array([*curve, *slopes, slopes[1] - slopes[0], level, curve[96:129].mean(), *ends, *lattice(power)])


def lattice(power: Floats) -> list[float]:
    height, width = power.shape
    peaks = []
    for row, column in ((0, 2), (2, 0), (2, 2), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1)):
        moved = np.roll(power, (10 - row * height // 4, 10 - column * width // 4), axis=(0, 1))[:21, :21]
        is_near = np.zeros((21, 21), dtype=bool)
        is_near[8:13, 8:13] = True
        peaks.append(np.log10((moved[is_near].mean() + 1e-8) / (np.median(moved[~is_near]) + 1e-8)))
    return peaks


def sectors(logs: Floats) -> Floats:
    down, right = np.meshgrid(*(np.fft.fftfreq(side) for side in logs.shape), indexing="ij")
    ring = np.floor(32 * np.hypot(down, right)).astype(int)
    sector = np.floor(np.arctan2(down, right) / np.pi * 8 + 0.5).astype(int) % 8
    ring[0, 0] = -1
    above = np.zeros((16, 8))
    for r in range(16):
        parts = [logs[(ring == r) & (sector == s)] for s in range(8)]
        means = [part.mean() if part.size else np.nan for part in parts]
        if not np.isnan(means).all():
            above[r] = np.nan_to_num(means - np.nanmean(means))
    return above


# Blocks of 8 x 8


def block_coefficients(X: Pixels) -> Floats:
    planes = planes_of(X)
    blocks = planes.reshape(3, X.shape[0] // 8, 8, X.shape[1] // 8, 8).transpose(0, 1, 3, 2, 4)
    coefficients = scipy.fft.dctn(blocks, axes=(3, 4), norm="ortho").reshape(3, -1, 8, 8)
    return np.array([[plane[:, v, u] for v, u in ZIGZAG[1:]] for plane in coefficients])


def dct(X: Pixels) -> Floats:
    a = block_coefficients(X)
    ml = np.abs(a - np.median(a, axis=2, keepdims=True)).mean(axis=2)
    tails = np.log(kurtosis(a, axis=2, fisher=False))
    return np.stack([np.log(a.std(axis=2) / np.sqrt(2) + 1e-3), np.log(ml + 1e-3), tails], axis=1).ravel()


def digits(X: Pixels) -> Floats:
    a = block_coefficients(X)[0, :9]
    rows = []
    for steps in (np.ones(9), np.array([2, 2, 3, 2, 2, 3, 3, 3, 3])):
        for k in range(9):
            whole = np.abs(np.rint(a[k] / steps[k]))
            first = whole // 10.0 ** np.floor(np.log10(np.maximum(whole, 1)))
            counts = np.array([(first == digit).sum() for digit in range(1, 10)]) + 0.5
            rows.append(benford(counts / counts.sum()))
    return np.concatenate(rows)


def benford(p: Floats) -> list[float]:
    d = np.arange(1, 10)[:, None, None]
    power, shift = np.meshgrid(np.linspace(0.1, 4, 79), np.linspace(-0.96, 4, 63), indexing="ij")
    law = np.log10(1 + 1 / (shift + d**power))
    scale = 1 / law.sum(axis=0)
    law = scale * law
    best = np.unravel_index((p[:, None, None] * np.log(law)).sum(axis=0).argmax(), power.shape)
    q = law[(slice(None), *best)]
    middle = (p + q) / 2
    jensen_shannon = ((p * np.log(p / middle)).sum() + (q * np.log(q / middle)).sum()) / 2
    return [scale[best], shift[best], power[best], jensen_shannon, ((p - q) * np.log(p / q)).sum()]


def wavelets(X: Pixels) -> Floats:
    return np.concatenate([np.concatenate([haar_packets(plane), daubechies(plane)]) for plane in planes_of(X)])


def haar_packets(plane: Floats) -> Floats:
    packets = pywt.WaveletPacket2D(plane, "haar", mode="periodization", maxlevel=3)
    columns = []
    for down, right in product(range(8), repeat=2):
        bits = [(down >> level & 1, right >> level & 1) for level in range(3)]
        path = "".join({(0, 0): "a", (1, 0): "h", (0, 1): "v", (1, 1): "d"}[bit] for bit in bits)
        logs = np.log(np.abs(packets[path].data) + 1e-2)
        columns += [logs.mean(), logs.std()]
    return np.array(columns)


def daubechies(plane: Floats) -> Floats:
    scales = pywt.wavedec2(plane, "db4", mode="periodization", level=3)[1:][::-1]
    bands = [band for scale in scales for band in scale]
    tails = [np.log((((b - b.mean()) ** 4).mean() + 1e-12) / (((b - b.mean()) ** 2).mean() + 1e-6) ** 2) for b in bands]
    parents = []
    for children, coarser in pairwise(scales):
        for child, parent in zip(children, coarser, strict=True):
            pair = np.log(np.abs(np.kron(parent, np.ones((2, 2)))) + 1e-2), np.log(np.abs(child) + 1e-2)
            parents.append(np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1])
    return np.array([*tails, *(gaussian_shape(band) for band in bands), *parents])


def gaussian_shape(band: Floats) -> float:
    b = np.linspace(0.2, 4, 381)
    ratio = (np.abs(band).mean() + 1e-2) ** 2 / (band.var() + 1e-4)
    return float(np.interp(ratio, gamma(2 / b) ** 2 / (gamma(1 / b) * gamma(3 / b)), b))


# Residuals


def classes(is_sign_blind: bool = True) -> list[int]:
    triples = list(product(range(-2, 3), repeat=3))
    least = []
    for a, b, c in triples:
        twins = [(a, b, c), (c, b, a)] + ([(-a, -b, -c), (-c, -b, -a)] if is_sign_blind else [])
        least.append(min(twins))
    return [sorted(set(least)).index(triple) for triple in least]


def rounded(residual: Floats, unit: float) -> npt.NDArray[np.int64]:
    return (np.sign(residual) * np.minimum(np.floor(np.abs(residual) / unit + 0.5), 2)).astype(int)


def triples(z: npt.NDArray[np.int64], transposed: npt.NDArray[np.int64], of: list[int]) -> npt.NDArray[np.int64]:
    codes = [25 * (r[:, :-2] + 2) + 5 * (r[:, 1:-1] + 2) + r[:, 2:] + 2 for r in (z, transposed)]
    counts = sum(np.bincount(code.ravel(), minlength=125) for code in codes)
    return np.bincount(of, weights=counts)


def residuals(X: Pixels, count=triples) -> Floats:
    shares = []
    for plane in quarter_levels(X):
        inner = plane[3:-3, 3:-3] / 4
        for taps, scale in KERNELS.values():
            kernel = np.array(taps)
            right, down = (correlate2d(inner, turned, mode="valid") for turned in (kernel, kernel.T))
            for q in (1, 2):
                found = count(rounded(right, q * scale), rounded(down, q * scale).T, classes())
                shares.append(found / found.sum())
    return np.concatenate(shares)


def extremes(X: Pixels, count=triples) -> Floats:
    directions = [[[0, 0, 0], [1, -2, 1], [0, 0, 0]], [[0, 1, 0], [0, -2, 0], [0, 1, 0]]]
    directions += [np.diag([1, -2, 1]), np.fliplr(np.diag([1, -2, 1]))]
    shares = []
    for plane in quarter_levels(X):
        maps = np.array([correlate2d(plane[3:-3, 3:-3] / 4, np.array(taps), mode="valid") for taps in directions])
        for q in (1, 2):
            both = [rounded(extreme, 2 * q) for extreme in (maps.min(axis=0), -maps.max(axis=0))]
            found = sum(count(z, z.T, classes(is_sign_blind=False)) for z in both)
            shares.append(found / found.sum())
    return np.concatenate(shares)


# Colour


def colour(X: Pixels) -> Floats:
    rgb = X.astype(int).transpose(2, 0, 1)
    red, green, blue = np.clip(np.diff(rgb, axis=2), -2, 2).reshape(3, -1)
    edges = np.arange(-2.5, 3)
    joint = np.histogramdd([red, green, blue], [edges] * 3)[0] / red.size
    pairs = [np.histogram2d(a, b, [edges] * 2)[0] / red.size for a, b in ((red, green), (red, blue), (green, blue))]
    correlations = []
    for planes in (rgb, quarter_levels(X)):
        kb = [correlate2d(plane, KERNELS["kb"][0], mode="valid").ravel() for plane in planes]
        correlations += [np.corrcoef(kb[i], kb[j])[0, 1] for i, j in ((0, 1), (0, 2), (1, 2))]
    bright = [share for level in (250, 254) for share in (*(rgb >= level).mean((1, 2)), (rgb >= level).all(0).mean())]
    dark = [share for level in (5, 1) for share in (*(rgb <= level).mean((1, 2)), (rgb <= level).all(0).mean())]
    used = [value for plane in rgb for value in (plane.min(), plane.max(), len(np.unique(plane)))]
    return np.concatenate([joint.ravel(), *(pair.ravel() for pair in pairs), correlations, bright, dark, used])


# Neighbours


def neighbours(X: Pixels) -> Floats:
    columns = []
    for x in X.astype(float).transpose(2, 0, 1):
        a, b, c, d = x[::2, ::2], x[::2, 1::2], x[1::2, ::2], x[1::2, 1::2]
        for first, second in ((a - b, c - d), (a - c, b - d), (a - d, b - c)):
            differences = np.concatenate([first.ravel(), second.ravel(), -first.ravel(), -second.ravel()])
            tails = np.log(kurtosis(differences, fisher=False))
            spread = np.log(np.abs(differences).mean() + 1e-3), np.log(differences.std() + 1e-3)
            columns += [*spread, (differences == 0).mean(), tails]
        for line in (x, x.T):
            strength = np.abs(np.diff(line, axis=1))
            columns.append(np.log((strength[:, ::2].mean() + 1e-3) / (strength[:, 1::2].mean() + 1e-3)))
    return np.array(columns)


# Phase


def phase(X: Pixels) -> Floats:
    plane = planes_of(X)[0]
    spectrum = np.fft.fft2(plane - plane.mean())
    is_there = np.abs(spectrum) > 1e-2 * np.sqrt(plane.size)
    s = np.real(np.fft.ifft2(np.where(is_there, np.exp(1j * np.angle(spectrum)), 0)))
    s = (s - s.mean()) / s.std()
    strength = np.abs(s)
    power = np.abs(np.fft.fft2(strength - strength.mean())) ** 2 / s.size
    curve = profile(np.log10(power + 1e-8), 64, 33)[1:]
    cells = [
        (np.log(cell.var()), np.log(kurtosis(cell.ravel(), fisher=False)), (np.abs(cell) > 3).mean())
        for rows in np.array_split(s, 4)
        for cell in np.array_split(rows, 4, axis=1)
    ]
    whole = [np.log(kurtosis(s.ravel(), fisher=False)), (strength > 3).mean(), *curve]
    return np.concatenate([whole, np.ravel(cells), local_phases(plane)])


def local_phases(plane: Floats) -> Floats:
    wave, flat = np.exp(2j * np.pi * np.arange(-3, 4) / 7), np.ones(7)
    code = 0
    for down, right in ((flat, wave), (wave, flat), (wave, wave), (wave, wave.conj())):
        # correlate2d conjugates its second argument, and the signs are those of the plain sum
        found = correlate2d(plane, np.outer(down, right).conj(), mode="valid")
        code = 4 * code + 2 * (found.real > 1e-2) + (found.imag > 1e-2)
    return np.bincount(code.ravel().astype(int), minlength=256) / code.size


FAMILIES = {
    function.__name__: function
    for function in (spectrum, dct, residuals, extremes, colour, digits, neighbours, wavelets, phase)
}
