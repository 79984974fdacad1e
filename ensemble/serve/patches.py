"""How the answer changes when a part of a photograph is hidden: occlusion (Zeiler and Fergus, ECCV 2014).

It shows where the models looked, not what is generated: people trust a verdict more with such a picture beside it, also
where it is wrong. So the page shows it on request only, with this warning.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble.core.metrics.scores import to_logits
from ensemble.predict.answers import Answer
from ensemble.predict.photographs.preparing import Prepared
from ensemble.predict.predictor import Pending

CELLS: Final = 6  # a side
_COARSE: Final = 8  # pixels a side of the photograph that hidden parts show


def hidden(pending: Pending) -> list[Pending]:
    """Return a photograph as it is, then with each cell of a grid hidden, row by row."""
    pixels = pending.prepared.pixels
    if pixels is None:
        return []
    height, width = pixels.shape[:2]
    coarse = Image.fromarray(pixels).resize((_COARSE, _COARSE), Image.Resampling.BOX)
    blurred = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    rows, columns = (np.linspace(0, side, CELLS + 1).astype(int) for side in (height, width))
    found = [pending]
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            changed: NDArray[np.uint8] = pixels.copy()
            changed[top:bottom, left:right] = blurred[top:bottom, left:right]
            found.append(replace(pending, prepared=Prepared(changed)))
    return found


def changes(answers: list[Answer]) -> list[list[float]]:
    """Return by how much the logit falls when a cell is hidden: rows of columns, from answers about `hidden`."""
    logits = to_logits(np.array([np.nan if each.probability is None else each.probability for each in answers]))
    falls: list[list[float]] = np.round(logits[0] - logits[1:], 4).reshape(CELLS, CELLS).tolist()
    return falls
