"""Weights found by Optuna's CMA-ES."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import optuna

from ensemble.blend.base import Array, Blender, Labels, Logits, blended
from ensemble.blend.objective import wrong_then_log_loss

if TYPE_CHECKING:
    from typing_extensions import Self


class OptunaWeights(Blender):
    """A convex combination searched by CMA-ES (Hansen, 2016) on right decisions, ties by log loss.

    The plain mean is the first trial. The best weights are rounded to a grid of 1/50: coarse weights overfit less
    (Purucker and Beel, 2023).
    """

    title = "weights"
    grid = 50

    def __init__(self, trials: int = 100, seed: int = 0) -> None:
        self.trials = trials
        self.seed = seed

    def fit(self, logits: Logits, labels: Labels) -> Self:
        """Search, normalise, round."""
        members = logits.shape[1]
        names = [f"weight_{column}" for column in range(members)]

        def objective(trial: optuna.Trial) -> float:
            raw = np.array([trial.suggest_float(name, 0.0, 1.0) for name in names])
            return wrong_then_log_loss(blended(logits, _simplex(raw), 0.0), labels)

        self.study_ = new_study(self.title, self._sampler())
        self.study_.enqueue_trial(dict.fromkeys(names, 0.5))
        self.study_.optimize(objective, n_trials=self.trials if members > 1 else 1)
        best = np.array([self.study_.best_params[name] for name in names])
        self.weights_ = _rounded(_simplex(best), self.grid)
        return self

    def _sampler(self) -> optuna.samplers.BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.CmaEsSampler(seed=self.seed, warn_independent_sampling=False)


def new_study(name: str, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """A quiet in-memory study that minimises."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(study_name=name, sampler=sampler, direction="minimize")


def _simplex(raw: Array) -> Array:
    total = raw.sum()
    return raw / total if total > 0 else np.full(len(raw), 1 / len(raw))


def _rounded(weights: Array, grid: int) -> Array:
    """Weights on multiples of 1/grid; what rounds to nothing is dropped."""
    coarse = np.round(weights * grid)
    return _simplex(coarse)
