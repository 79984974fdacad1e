"""Logistic regression on the members' logits, its penalty tuned by Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import optuna
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from ensemble.blend.base import Blender, Labels, Logits
from ensemble.blend.objective import mean_log_loss
from ensemble.blend.weights import new_study

if TYPE_CHECKING:
    from typing_extensions import Self


class LogisticStacking(Blender):
    """L2-regularised logistic regression (Wolpert's stacking, 1992). Weights may be negative and need not sum to one.

    C is tuned on the log loss of five inner folds, cut from the rows it is fitted on: it never sees others.
    """

    title = "stacking"
    inner_folds = 5
    most_trials = 20  # one smooth dimension: more trials find nothing

    def __init__(self, trials: int = 20, seed: int = 0) -> None:
        self.trials = trials
        self.seed = seed

    def fit(self, logits: Logits, labels: Labels) -> Self:
        """Tune C, then fit on all rows."""
        self.study_ = new_study(self.title, optuna.samplers.TPESampler(seed=self.seed))
        self.study_.enqueue_trial({"C": 1.0})
        self.study_.optimize(
            lambda trial: self._inner_log_loss(trial.suggest_float("C", 1e-4, 1e2, log=True), logits, labels),
            n_trials=min(self.trials, self.most_trials),
        )
        model = LogisticRegression(C=self.study_.best_params["C"]).fit(logits, labels)
        self.weights_, self.intercept_ = model.coef_[0].astype(np.float64), float(model.intercept_[0])
        return self

    def _inner_log_loss(self, C: float, logits: Logits, labels: Labels) -> float:
        folds = StratifiedKFold(self.inner_folds, shuffle=True, random_state=self.seed)
        losses = []
        for fit, heldout in folds.split(logits, labels):
            model = LogisticRegression(C=C).fit(logits[fit], labels[fit])
            losses.append(mean_log_loss(model.decision_function(logits[heldout]), labels[heldout]))
        return float(np.mean(losses))
