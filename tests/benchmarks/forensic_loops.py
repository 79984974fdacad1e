"""The feature families in the style of published scripts: a mask for each radius, a call for each block, a pass for
each triple. For `forensic_features` only."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import scipy.fft

from tests.members import straightforward
from tests.members.straightforward import Floats, Pixels


def spectrum(X: Pixels) -> Floats:
    planes = straightforward.planes_of(X)
    curves = [straightforward.of_plane(plane, masked_profile) for plane in planes]
    return np.concatenate([*curves, straightforward.sectors(straightforward.log_power(planes[0])).ravel()])


def masked_profile(logs: Floats) -> Floats:
    ring = np.floor(256 * straightforward.radius_of(logs.shape) + 0.5)
    return np.array([logs[ring == k].mean() for k in range(182)])


def dct(X: Pixels) -> Floats:
    columns = []
    for plane in straightforward.planes_of(X):
        blocks = [
            scipy.fft.dctn(plane[v : v + 8, u : u + 8], norm="ortho")
            for v, u in product(range(0, X.shape[0], 8), range(0, X.shape[1], 8))
        ]
        moments, mls, tails = [], [], []
        for v, u in straightforward.ZIGZAG[1:]:
            a = np.array([block[v, u] for block in blocks])
            moments.append(np.log(np.std(a) / np.sqrt(2) + 1e-3))
            mls.append(np.log(np.mean(np.abs(a - np.median(a))) + 1e-3))
            tails.append(np.log(((a - a.mean()) ** 4).mean() / np.var(a) ** 2))
        columns += [*moments, *mls, *tails]
    return np.array(columns)


def triples(z: npt.NDArray[np.int64], transposed: npt.NDArray[np.int64], of: list[int]) -> npt.NDArray[np.floating]:
    counts = np.zeros(max(of) + 1)
    for number, (a, b, c) in enumerate(product(range(-2, 3), repeat=3)):
        for r in (z, transposed):
            counts[of[number]] += ((r[:, :-2] == a) & (r[:, 1:-1] == b) & (r[:, 2:] == c)).sum()
    return counts


def residuals(X: Pixels) -> Floats:
    return straightforward.residuals(X, triples)


def extremes(X: Pixels) -> Floats:
    return straightforward.extremes(X, triples)


FAMILIES = straightforward.FAMILIES | {function.__name__: function for function in (spectrum, dct, residuals, extremes)}
