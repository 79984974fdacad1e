"""What a blender is: an estimator that learns, on out-of-fold logits, to combine the logits of all members into one.

Blenders follow scikit-learn: `__init__` stores parameters unchanged, what `fit` learns ends in `_`, and
`sklearn.base.clone` copies them. They do not inherit from `BaseEstimator`, whose import takes longer than all others of
`ensemble blend` together.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from ensemble.core.arrays import Array, Folds, Labels, Logits

if TYPE_CHECKING:
    from typing import Self

    import optuna


class Blender(ABC):
    """Estimator that combines the logits of members (rows, members) into one logit a row.

    Attributes
    ----------
    title : str
        Its name in configs and tables.
    reads_columns : bool
        Whether feature columns of the photographs follow the members' logits in its input.
    learns : bool
        Whether `fit` looks at the labels.
    most_rows : int
        Rows that `fit` is given at most: more of them change what is learned by less than matters.
    study_ : optuna.Study or None
        The search behind a fit, for blenders that search.
    """

    title: ClassVar[str]
    reads_columns: ClassVar[bool] = False
    learns: ClassVar[bool] = True
    most_rows: ClassVar[int] = 100_000
    study_: optuna.Study | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return the parameters of `__init__`; `deep` is there for scikit-learn."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @abstractmethod
    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Learn from logits (rows, members) and labels 0/1 (rows,).

        `folds` (rows,) are those of the ledger. Inner tuning splits along them, since near-duplicates never lie in two.
        """

    @abstractmethod
    def decision_function(self, logits: Logits) -> Array:
        """Return blended logits (rows,): fake at or above zero."""

    def columns_of(self, logits: Logits, members: int) -> Logits:
        """Return the columns that it reads: those of the members, and feature columns if it reads them."""
        return logits if self.reads_columns else logits[:, :members]

    def logits_of_fit(self, logits: Logits, labels: Labels, folds: Folds) -> Array:  # noqa: ARG002
        """Return blended logits of the rows of `fit` that are as little overfitted as can be had."""
        return self.decision_function(logits)

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what `restored.restored` needs to make the same decisions, as plain JSON."""

    def member_weights(self, members: int) -> Array:
        """Return the weight of each member's logit (members,); NaN if the blender is not a weighted sum."""
        return np.full(members, np.nan)


Kind = TypeVar("Kind", bound=Blender)


def clone(blender: Kind) -> Kind:
    """Return an unfitted blender with the same parameters."""
    return type(blender)(**blender.get_params())


class LinearBlender(Blender):
    """Weighted sum of the members' logits. Subclasses only choose `weights_` (and `intercept_`).

    Attributes
    ----------
    weights_ : float64 (members,)
        Non-negative with sum one unless the class says otherwise.
    """

    weights_: Array
    intercept_: float = 0.0

    def decision_function(self, logits: Logits) -> Array:
        """Return blended logits (rows,)."""
        return blended(logits, self.weights_, self.intercept_)

    def state(self) -> dict[str, Any]:
        """Return weights and intercept."""
        return {"kind": "linear", "weights": self.weights_.tolist(), "intercept": self.intercept_}

    def member_weights(self, members: int) -> Array:  # noqa: ARG002
        """Return the weights."""
        return self.weights_


def blended(logits: Logits, weights: Array, intercept: float) -> Array:
    """Return logits (rows, members) times weights, summed member by member: the same bits for any number of rows.

    Raises
    ------
    ValueError
        There is not one finite weight for each member.
    """
    if weights.shape != logits.shape[1:] or not np.isfinite(weights).all():
        raise ValueError(f"the weights are not {logits.shape[1]} finite numbers")
    total = np.full(len(logits), intercept)
    for column in np.flatnonzero(weights):
        total += logits[:, column] * weights[column]
    return total
