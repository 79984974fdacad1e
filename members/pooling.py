"""Columns of photographs from the outputs of a frozen network, however it is run. NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from members.crops import views
from members.photographs import Photographs
from members.statistics import STATISTICS

Floats = npt.NDArray[np.float32]
Forward = Callable[[npt.NDArray[np.uint8]], dict[str, Floats]]

COVARIANCE = "/covariance"


@dataclass(frozen=True)
class Pooling:
    """Statistics of layers, averaged over the views of a photograph.

    Attributes
    ----------
    layers, statistics, flip, crop
        As in `members.embedding.FrozenEmbedding`.
    """

    layers: str | Sequence[str]
    statistics: Sequence[str]
    flip: bool
    crop: int | None

    def columns(self, forward: Forward, X: Photographs, at_once: int) -> Iterator[Floats]:
        """Yield columns float32 (rows, columns), some photographs of `X` after the others."""
        for start in range(0, len(X), at_once):
            photographs = X[np.arange(start, min(start + at_once, len(X)))]
            seen = [
                np.concatenate([values for _, values in self.parts(forward(view))], axis=1)
                for view in views(photographs, flip=self.flip, crop=self.crop)
            ]
            yield np.mean(seen, axis=0)

    def parts(self, computed: dict[str, Floats]) -> Iterator[tuple[str, Floats]]:
        """Yield float32 (n, columns) of every part of the columns, with its name."""
        if isinstance(self.layers, str):
            yield self.layers, computed[self.layers]
            return
        for layer in self.layers:
            moments = computed[f"{layer}/mean"], computed[f"{layer}{COVARIANCE}"]
            for name in self.statistics:
                yield f"{layer}_{name}", STATISTICS[name](*moments)
