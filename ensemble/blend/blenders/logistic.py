"""Logistic regressions on the members' logits (Wolpert's stacking, 1992): with non-negative weights, and with L2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ensemble.blend.blenders.base import LinearBlender
from ensemble.blend.blenders.rows import Split, at_most, inner_splits, take_rows, targets
from ensemble.blend.blenders.studies import new_study
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.decisions import mean_log_loss
from ensemble.core.metrics.scores import to_logits

if TYPE_CHECKING:
    from typing import Self

_MOST_ROWS_TUNING = 5_000  # the penalty matters where rows are few


class NonNegativeLogistic(LinearBlender):
    """Logistic regression with weights that are not negative and need not sum to one.

    A negative weight says "the opposite of what this member predicts", which seldom holds on new photographs.
    """

    title = "nonnegative_logistic"
    most_rows = 15_000

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Minimise the mean log loss within bounds (L-BFGS-B), starting from the plain mean."""
        from scipy.optimize import minimize

        X, y, members = logits.astype(np.float64), targets(labels), logits.shape[1]

        def loss(parameters: Array) -> tuple[float, Array]:
            z = X @ parameters[1:] + parameters[0]
            probability = 1 / (1 + np.exp(-z))
            slope = (probability - y) / len(y)
            value = float((np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).mean())
            return value, np.concatenate([[slope.sum()], X.T @ slope])

        start = np.concatenate([[0.0], np.full(members, 1 / members)])
        bounds = [(None, None)] + [(0, None)] * members
        best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        self.weights_, self.intercept_ = best[1:], float(best[0])
        return self


class LogisticStacking(LinearBlender):
    """Logistic regression with an L2 penalty tuned by Optuna. Weights may be negative and need not sum to one.

    C is tuned on the log loss of inner folds, which are ledger folds of the rows of `fit`: near-duplicates never lie in
    two of them.
    """

    title = "logistic"
    most_rows = 30_000

    def __init__(self, trials: int = 8, seed: int = 0) -> None:
        self.trials = trials
        self.seed = seed

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Tune C, then fit."""
        C = self._tune(logits, labels, folds)
        self.weights_, self.intercept_ = _logistic(logits, labels, C)
        return self

    def _tune(self, logits: Logits, labels: Labels, folds: Folds) -> float:
        import optuna

        rows = at_most(len(labels), _MOST_ROWS_TUNING)
        splits = list(inner_splits(folds[rows]))
        if not splits:
            return 1.0
        X, y = take_rows(logits, rows), labels[rows]
        self.study_ = new_study(self.title, optuna.samplers.TPESampler(seed=self.seed))
        self.study_.enqueue_trial({"C": 1.0})
        self.study_.optimize(
            lambda trial: _inner_log_loss(trial.suggest_float("C", 1e-4, 1e2, log=True), X, y, splits),
            n_trials=self.trials,
        )
        return float(self.study_.best_params["C"])


def _inner_log_loss(C: float, X: Logits, y: Labels, splits: list[Split]) -> float:
    losses = []
    for fit, heldout in splits:
        weights, intercept = _logistic(X[fit], y[fit], C)
        losses.append(mean_log_loss(X[heldout] @ weights.astype(np.float32) + np.float32(intercept), y[heldout]))
    return float(np.mean(losses))


def _logistic(X: Logits, y: Labels, C: float) -> tuple[Array, float]:
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(y)) < 2:
        return np.zeros(X.shape[1]), float(to_logits(np.array((y.sum() + 0.5) / (len(y) + 1))))
    share = targets(y)  # each row counts for both classes, as its target says
    rows, classes = np.concatenate([X, X]).astype(np.float64), np.repeat([1, 0], len(y))
    model = LogisticRegression(C=C, solver="newton-cholesky").fit(rows, classes, np.concatenate([share, 1 - share]))
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])
