"""Weights found by Optuna with CMA-ES."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import LinearBlender
from ensemble.blend.blenders.greedy import GreedySelection
from ensemble.blend.blenders.studies import new_study, quiet_optuna
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.decisions import wrong_then_log_loss

if TYPE_CHECKING:
    from typing import Self

    import optuna

_GRID = 50
_MOST_DIRECTIONS = 10
_REACH = 0.3  # of an offset; CMA-ES starts with steps of a third of that


class CmaWeights(LinearBlender):
    """Convex combination searched by CMA-ES (Hansen, 2016) on correct decisions, ties by log loss.

    The search starts from the better of the plain mean and greedy selection. It offsets only the ten members with the
    largest greedy weights (ties: the best alone first), since few trials find nothing in more directions. The best
    weights are rounded to a sparse simplex with steps of 1/50: coarse weights overfit less (Purucker and Beel, 2023).
    If that is worse than the start on the rows of `fit`, the start is returned.
    """

    title = "cma"
    most_rows = 30_000

    def __init__(self, trials: int = 40, seed: int = 0) -> None:
        self.trials = trials
        self.seed = seed

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Search, normalise, round."""

        def loss(weights: Array) -> float:
            return wrong_then_log_loss(logits @ weights.astype(np.float32), labels)

        mean = np.full(logits.shape[1], 1 / logits.shape[1])
        greedy = GreedySelection().fit(logits, labels, folds).weights_
        start, alone = min(mean, greedy, key=loss), [wrong_then_log_loss(column, labels) for column in logits.T]
        offset = np.sort(np.lexsort((np.array(alone), -greedy))[:_MOST_DIRECTIONS])
        self.weights_ = min(rounded(self._search(start, offset, loss), _GRID), start, key=loss)
        return self

    def _search(self, start: Array, offset: NDArray[np.intp], loss: Callable[[Array], float]) -> Array:
        import optuna

        names = [f"offset_{column}" for column in offset]

        def weights(offsets: dict[str, float]) -> Array:
            raw = start.copy()
            raw[offset] += [offsets[name] for name in names]
            return simplex(np.maximum(raw, 0))

        def objective(trial: optuna.Trial) -> float:
            return loss(weights({name: trial.suggest_float(name, -_REACH, _REACH) for name in names}))

        with quiet_optuna():
            sampler = optuna.samplers.CmaEsSampler(seed=self.seed, warn_independent_sampling=False)
            self.study_ = new_study(self.title, sampler)
        self.study_.set_user_attr("start", start.tolist())
        self.study_.enqueue_trial(dict.fromkeys(names, 0.0))
        self.study_.optimize(objective, n_trials=self.trials if len(start) > 1 else 1)
        return weights(self.study_.best_params)


def simplex(raw: Array) -> Array:
    """Scale non-negative numbers to sum to one; equal weights if all are zero."""
    total = raw.sum()
    return raw / total if total > 0 else np.full(len(raw), 1 / len(raw))


def rounded(weights: Array, grid: int) -> Array:
    """Round weights to multiples of 1/grid that sum to one: all down, then the largest remainders up."""
    steps = np.floor(weights * grid)
    missing = round(grid - steps.sum())
    steps[np.argsort(steps - weights * grid, kind="stable")[:missing]] += 1
    return steps / grid
