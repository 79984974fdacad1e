"""The doubt gate: how unlike the training photographs a picture is, by the columns that a member reads.

The distance of standardised columns from the span of the training photographs' first principal components (the
reconstruction error of PCA: Jackson and Mudholkar, 1979), as the root mean square over columns. NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from ensemble.core.arrays import Array

DOUBT: Final = "doubt.safetensors"
_COMPONENTS: Final = 50
_TINY: Final = 1e-6

Columns = NDArray[np.float32]  # (n, columns)


@dataclass(frozen=True)
class DoubtGate:
    """Distance of columns from those of the training photographs.

    Attributes
    ----------
    mean, scale : float32 (columns,)
        Of the training photographs' columns.
    components : float32 (components, columns)
        Orthonormal.
    """

    mean: Columns
    scale: Columns
    components: Columns

    @classmethod
    def fit(cls, columns: Columns) -> DoubtGate:
        """Fit on columns of training photographs."""
        from sklearn.decomposition import PCA  # takes a second, and asking about photographs does not need it

        mean, scale = columns.mean(axis=0, dtype=np.float64), columns.std(axis=0, dtype=np.float64)
        scale = np.where(scale > _TINY * np.abs(mean), scale, 1.0)
        table = ((columns - mean) / scale).astype(np.float32)
        most = min(_COMPONENTS, (min(table.shape) + 1) // 2)  # or nothing would be left beside them
        directions = PCA(most, svd_solver="randomized", random_state=0).fit(table).components_
        return cls(mean.astype(np.float32), scale.astype(np.float32), directions.astype(np.float32))

    def __call__(self, columns: Columns) -> Array:
        """Return the distance of each row, float64 (n,): about 1 for photographs of the same kind."""
        table = (columns - self.mean) / self.scale
        within = table @ self.components.T
        outside = np.square(table, dtype=np.float64).sum(axis=1) - np.square(within, dtype=np.float64).sum(axis=1)
        distances: Array = np.sqrt(np.maximum(outside, 0) / max(columns.shape[1] - len(self.components), 1))
        return distances

    def to_bytes(self) -> bytes:
        """Return the content of its file."""
        numbers = {"mean": self.mean, "scale": self.scale, "components": self.components}
        # safetensors writes the memory of an array as it lies, without a word about its order.
        return safetensors.numpy.save({name: np.ascontiguousarray(each) for name, each in numbers.items()})

    @classmethod
    def from_bytes(cls, content: bytes) -> DoubtGate:
        """Read what `to_bytes` returned."""
        return cls(**safetensors.numpy.load(content))
