"""Members one after the other, each kept only if it helps: for ensembles that grow from many candidates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ensemble.blend.blenders.base import LinearBlender
from ensemble.blend.blenders.logistic import NonNegativeLogistic
from ensemble.blend.blenders.rows import inner_splits, take_rows
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.scores import log_loss, to_logits

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class Step:
    """What a member adds to those before it that were kept.

    Attributes
    ----------
    gain, standard_error : float
        By how much the mean log loss of held-out rows falls, and the standard error of this difference, paired by row.
    losses : float64 (rows,)
        Log losses with the member, each row by a fit that did not see it.
    """

    gain: float
    standard_error: float
    losses: Array

    @property
    def helps(self) -> bool:
        """Whether it is kept: the gain exceeds its standard error."""
        return self.gain > self.standard_error


class Selection:
    """Members that are offered one after the other, each a column of out-of-fold logits.

    Attributes
    ----------
    kept : list of float32 (rows,)
        Logits of those that helped.
    losses : float64 (rows,)
        Held-out log losses of the logistic regression on these; of the share of fakes before there is one.
    """

    def __init__(self, labels: Labels, folds: Folds) -> None:
        self._labels, self._splits = labels, list(inner_splits(folds))
        self.kept: list[Logits] = []
        self.losses = self._held_out(lambda rows: np.full(len(labels), _share(labels[rows])))

    def offer(self, logits: Logits) -> Step:
        """Try a member, and keep it if it helps."""
        return self.replace([*self.kept, logits])

    def replace(self, kept: list[Logits]) -> Step:
        """Try other logits in place of those that were kept, and keep them if they help."""
        X = np.stack(kept).T
        losses = self._held_out(
            lambda rows: NonNegativeLogistic().fit(take_rows(X, rows), self._labels[rows], rows).decision_function(X)
        )
        less = self.losses - losses
        step = Step(float(less.mean()), float(less.std() / math.sqrt(len(less))), losses)
        if step.helps:
            self.kept, self.losses = list(kept), losses
        return step

    @property
    def accuracy(self) -> float:
        """Accuracy of the decisions that belong to the losses: at one half it is fake."""
        half = math.log(2)
        return float(((self.losses < half) | ((self.losses == half) & (self._labels == 1))).mean())

    def _held_out(self, fitted_on: Callable[[np.ndarray], Array]) -> Array:
        """Return the losses of rows, each by the logits of a fit on the other folds."""
        losses = np.zeros(len(self._labels))
        for rows, held_out in self._splits:
            losses[held_out] = log_loss(fitted_on(rows)[held_out], self._labels[held_out])
        return losses


class ForwardSelection(LinearBlender):
    """Non-negative logistic regression of those members that helped, in their order.

    A member helps if the log loss of rows that are held out in turn falls by more than its paired standard error.
    Members that are noise, however many, seldom get weight. Where it is scored nested, the selection is repeated in
    each part, so that the score counts it.

    Attributes
    ----------
    steps_ : list of Step
        One for each member.
    """

    title = "forward"
    most_rows = 15_000

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Offer the members, then fit those that were kept; if none was, the one that helped most."""
        selection = Selection(labels, folds)
        self.steps_ = [selection.offer(column) for column in logits.T]
        kept = np.flatnonzero([step.helps for step in self.steps_])
        if len(np.unique(folds)) == 1:
            kept = np.arange(logits.shape[1])  # nothing can be held out
        elif not len(kept):
            kept = np.array([np.argmax([step.gain for step in self.steps_])])
        fitted = NonNegativeLogistic().fit(logits.T[kept].T, labels, folds)
        self.weights_ = np.zeros(logits.shape[1])
        self.weights_[kept], self.intercept_ = fitted.weights_, fitted.intercept_
        return self


def _share(labels: Labels) -> float:
    return float(to_logits(np.array(((labels == 1).sum() + 1) / (len(labels) + 2))))
