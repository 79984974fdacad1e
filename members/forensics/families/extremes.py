"""The least and the greatest of four residuals at each pixel, and how neighbours of them occur together.

The non-linear residuals of the rich models (Fridrich and Kodovsky, 2012): along an edge one of the four directions is
quiet, so that noise shows there too.
"""

from __future__ import annotations

import numpy as np

from members.forensics.cooccurrence import Counts, class_matrix, class_names, count_triples, shares
from members.forensics.family import Family
from members.forensics.highpass import BORDER
from members.forensics.photograph import CHANNELS, Floats, Levels, Photograph

SCALE = 2  # of [1 -2 1]
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))

_CLASSES = class_matrix(is_sign_blind=False)


def extremes(photograph: Photograph) -> Floats:
    """Return the share of each of 75 classes of three neighbours, along rows and columns together, for each q.

    Least residuals and greatest ones with their sign turned are counted together. Triples that differ in direction are
    one class.
    """
    counts = [_of_plane(plane) for plane in photograph.ycc_fine]
    return shares(np.array(counts), _CLASSES).ravel()


def _of_plane(plane: Levels) -> Counts:
    inner = plane[BORDER:-BORDER, BORDER:-BORDER]
    centre = inner[1:-1, 1:-1]
    height, width = inner.shape
    residuals = [
        inner[1 + down : height - 1 + down, 1 + right : width - 1 + right]
        + inner[1 - down : height - 1 - down, 1 - right : width - 1 - right]
        - 2 * centre
        for down, right in DIRECTIONS
    ]
    least, negated = np.minimum.reduce(residuals), -np.maximum.reduce(residuals)
    return count_triples(least, least, SCALE) + count_triples(negated, negated, SCALE)


FAMILY = Family(class_names(CHANNELS, is_sign_blind=False), extremes)
