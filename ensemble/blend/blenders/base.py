"""What a blender is: it learns, on out-of-fold logits, how to make one logit of those of all members."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Folds, Labels, Logits

if TYPE_CHECKING:
    from typing import Self

    import optuna

_PIECE = 16_384


class Blender(ABC):
    """Learns from logits, tells one logit a row.

    Attributes
    ----------
    title : str
        How it is called in configs and tables.
    reads_columns : bool
        Whether feature columns of the photographs follow the members' logits in the matrices that it is given.
    learns : bool
        Whether a fit looks at the labels at all.
    most_rows : int
        More than these need not be given to `fit`: they tell what is learned to the digits that matter.
    study_ : optuna.Study or None
        The search behind a fit, for those that search.
    """

    title: ClassVar[str]
    reads_columns: ClassVar[bool] = False
    learns: ClassVar[bool] = True
    most_rows: ClassVar[int] = 100_000
    study_: optuna.Study | None = None

    @abstractmethod
    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Learn from logits (rows, members) and labels 0/1 (rows,).

        `folds` (rows,) are those of the ledger: what is tuned inside is tuned across them, since near-duplicates never
        lie in two.
        """

    @abstractmethod
    def decision_function(self, logits: Logits) -> Array:
        """Blended logits (rows,): at or above zero is fake."""

    def columns_of(self, logits: Logits, members: int) -> Logits:
        """The columns that it reads: those of the members, and feature columns if it reads them."""
        return logits if self.reads_columns else logits[:, :members]

    def logits_of_fit(self, logits: Logits) -> Array:
        """Blended logits of the very rows of `fit`, as honest as they can be had."""
        return self.decision_function(logits)

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What `roster.restored` needs to decide alike, as plain JSON."""

    def member_weights(self, members: int) -> Array:
        """What each member's logit is multiplied by (members,); NaN where a blender is no weighted sum."""
        return np.full(members, np.nan)


class LinearBlender(Blender):
    """A weighted sum of the members' logits. Subclasses choose `weights_` (and `intercept_`), nothing else.

    Attributes
    ----------
    weights_ : float64 (members,)
        Learned; non-negative with sum one unless the class says otherwise.
    """

    weights_: Array
    intercept_: float = 0.0

    def decision_function(self, logits: Logits) -> Array:
        """Blended logits (rows,)."""
        return blended(logits, self.weights_, self.intercept_)

    def state(self) -> dict[str, Any]:
        """Weights and intercept."""
        return {"kind": "linear", "weights": self.weights_.tolist(), "intercept": self.intercept_}

    def member_weights(self, members: int) -> Array:  # noqa: ARG002
        """The weights."""
        return self.weights_


class FixedWeights(LinearBlender):
    """Weights that were found before."""

    title = "fixed weights"

    def __init__(self, weights: list[float], intercept: float = 0.0) -> None:
        self.weights_ = np.array(weights, dtype=np.float64)
        self.intercept_ = intercept

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self


def blended(logits: Logits, weights: Array, intercept: float) -> Array:
    """Logits (rows, members) times weights, summed member by member: the same bits on any machine and row count."""
    total = np.full(len(logits), intercept)
    for column in np.flatnonzero(weights):
        total += logits[:, column] * weights[column]
    return total


def take_rows(logits: Logits, rows: NDArray[np.intp]) -> Logits:
    """Some rows, every column again in one piece."""
    taken: Logits = logits.T[:, rows].T
    return taken


def parts_of(folds: Folds, most: int) -> list[NDArray[np.intp]]:
    """The rows of each fold; beyond `most` folds several go together. None when all rows are of one fold."""
    _, number = np.unique(folds, return_inverse=True)
    parts = [np.flatnonzero(number % most == part) for part in range(min(number.max(initial=0) + 1, most))]
    return parts if len(parts) > 1 else []


def pieces(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Row numbers, some at a time: a copy of their rows is small beside the matrix."""
    return (rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE))


def mean_of(arrays: Iterable[Array]) -> Array:
    """The mean (n,) of arrays (n,), of which no more than one need be there at once."""
    total, count = np.zeros(1), 0
    for array in arrays:
        total, count = total + array, count + 1
    return total / count


def at_most(rows: int, most: int) -> NDArray[np.intp]:
    """Row numbers, in order: all, or `most` of them drawn by lot, the same for the same two numbers.

    By lot, since every second row may be a fake.
    """
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng([rows, most]).choice(rows, most, replace=False))
