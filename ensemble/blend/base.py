"""What a blender is: it learns one weight a member (and an intercept) on out-of-fold logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import optuna
    from typing_extensions import Self

Logits = NDArray[np.float64]
Labels = NDArray[np.int64]
Array = NDArray[np.float64]


class Blender(ABC):
    """A linear function of the members' logits. Subclasses choose `weights_` (and `intercept_`), nothing else.

    Attributes
    ----------
    title : str
        How it is called in configs and tables.
    weights_ : float64 (members,)
        Learned; non-negative with sum one unless the class says otherwise.
    study_ : optuna.Study or None
        The search behind the weights, for those that search.
    """

    title: ClassVar[str]
    weights_: Array
    intercept_: float = 0.0
    study_: optuna.Study | None = None

    @abstractmethod
    def fit(self, logits: Logits, labels: Labels) -> Self:
        """Learn from logits (rows, members) and labels 0/1 (rows,)."""

    def decision_function(self, logits: Logits) -> Array:
        """Blended logits (rows,): at or above zero is fake."""
        return blended(logits, self.weights_, self.intercept_)


def blended(logits: Logits, weights: Array, intercept: float) -> Array:
    """Logits (rows, members) times weights, summed member by member: the same bits on any machine and row count."""
    total = np.full(len(logits), intercept)
    for column, weight in enumerate(weights):
        total += logits[:, column] * weight
    return total
