"""Near-duplicates among photographs, also mirrored, by perceptual hash; integers, so equal on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import imagehash
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ensemble.core.arrays import Pixels
from ensemble.core.parallel import in_threads

HASH_SIZE = 16  # 16 x 16 = 256 bits: aligned faces are too similar for 64
_BLOCK = 2048


def near_duplicate_groups(
    names: Sequence[str], photographs: Pixels, groups: Sequence[str | None], distance: int
) -> list[str]:
    """Return a group for every row: near-duplicates (also mirrored) and rows of one group column value share one.

    A group is named after the first of its names, so that it does not depend on the order of rows.
    """
    pairs = [near_duplicate_pairs(perceptual_hashes(photographs), distance)]
    first: dict[str, int] = {}
    for row, group in enumerate(groups):
        if group is not None:
            pairs.append(np.array([[first.setdefault(group, row), row]], dtype=np.intp))
    component = components(len(names), np.concatenate(pairs))
    called = pd.Series(list(names)).groupby(component).transform("min")
    return [str(name) for name in called]


def perceptual_hashes(photographs: Pixels) -> NDArray[np.bool_]:
    """Compute difference hashes (dHash) of each photograph and of its mirror image: bool (n, 2, 256)."""
    return np.array(in_threads(_both_ways, photographs), dtype=bool).reshape(len(photographs), 2, HASH_SIZE**2)


def near_duplicate_pairs(hashes: NDArray[np.bool_], distance: int) -> NDArray[np.intp]:
    """Find pairs (i, j), i < j, whose hashes differ in at most `distance` bits, one mirrored or not: (pairs, 2)."""
    least = hashes.shape[-1] - 2 * distance  # equal bits minus different bits
    starts, found = range(0, len(hashes), _BLOCK), [np.empty((0, 2), dtype=np.intp)]
    for one in starts:
        upright = _signs(hashes[one : one + _BLOCK, 0])
        for other in starts[one // _BLOCK :]:
            ways = _signs(hashes[other : other + _BLOCK])
            close = (upright @ ways[:, 0].T >= least) | (upright @ ways[:, 1].T >= least)
            pairs = np.argwhere(close) + np.array([one, other])
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)


def _signs(hashes: NDArray[np.bool_]) -> NDArray[np.float32]:
    return hashes.astype(np.float32) * 2 - 1


def components(n: int, pairs: NDArray[np.intp]) -> NDArray[np.intp]:
    """Label the connected components of n photographs joined by pairs: intp (n,)."""
    graph = coo_matrix((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels: NDArray[np.intp] = connected_components(graph, directed=False)[1].astype(np.intp)
    return labels


def _both_ways(photograph: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    image = Image.fromarray(photograph).convert("L")
    return [imagehash.dhash(version, HASH_SIZE).hash for version in (image, ImageOps.mirror(image))]
