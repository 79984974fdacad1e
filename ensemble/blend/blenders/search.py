"""Weights found by Optuna: by CMA-ES, and by the tree-structured Parzen estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import LinearBlender
from ensemble.blend.blenders.greedy import GreedySelection
from ensemble.blend.blenders.studies import new_study, quietly
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.decisions import wrong_then_log_loss

if TYPE_CHECKING:
    from typing import Self

    import optuna


class SearchedWeights(LinearBlender):
    """A convex combination searched on right decisions, ties by log loss. Subclasses choose the sampler.

    The search goes from the better of the plain mean and greedy selection, by offsets of the ten members that greedy
    selection weighs most, after them the best alone: so few trials are lost in more directions. The best weights are
    rounded to a sparse simplex of steps of 1/50: coarse weights overfit less (Purucker and Beel, 2023). Where that is
    worse than the start, the start stays: a search never ends below it, on the rows that it sees.
    """

    grid = 50
    most_directions = 10
    reach = 0.3  # of an offset; CMA-ES begins with steps of a third of that
    most_rows = 30_000

    def __init__(self, trials: int, seed: int = 0, earlier: Sequence[optuna.trial.FrozenTrial] = ()) -> None:
        self.trials = trials
        self.seed = seed
        self.earlier = earlier[:trials]  # what is shipped has searched as long as what was scored

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Search, normalise, round."""

        def loss(weights: Array) -> float:
            return wrong_then_log_loss(logits @ weights.astype(np.float32), labels)

        mean = np.full(logits.shape[1], 1 / logits.shape[1])
        greedy = GreedySelection().fit(logits, labels, folds).weights_
        start, alone = min(mean, greedy, key=loss), [wrong_then_log_loss(column, labels) for column in logits.T]
        turned = np.sort(np.lexsort((np.array(alone), -greedy))[: self.most_directions])
        self.weights_ = min(rounded(self._searched(start, turned, loss), self.grid), start, key=loss)
        return self

    def _searched(self, start: Array, turned: NDArray[np.intp], loss: Callable[[Array], float]) -> Array:
        names = [f"offset_{column}" for column in turned]

        def weights(offsets: dict[str, float]) -> Array:
            raw = start.copy()
            raw[turned] += [offsets[name] for name in names]
            return simplex(np.maximum(raw, 0))

        def objective(trial: optuna.Trial) -> float:
            return loss(weights({name: trial.suggest_float(name, -self.reach, self.reach) for name in names}))

        with quietly():
            self.study_ = new_study(self.title, self._sampler(), self.earlier)
        self.study_.set_user_attr("start", start.tolist())
        if not self.earlier:
            self.study_.enqueue_trial(dict.fromkeys(names, 0.0))
        wanted = self.trials if len(start) > 1 else 1
        self.study_.optimize(objective, n_trials=max(wanted - len(self.earlier), 0))
        return weights(self.study_.best_params)

    def _sampler(self) -> optuna.samplers.BaseSampler:
        raise NotImplementedError


class CmaWeights(SearchedWeights):
    """Weights by CMA-ES (Hansen, 2016)."""

    title = "cma"

    def _sampler(self) -> optuna.samplers.BaseSampler:
        import optuna

        return optuna.samplers.CmaEsSampler(seed=self.seed, warn_independent_sampling=False)


class TpeWeights(SearchedWeights):
    """Weights by the multivariate tree-structured Parzen estimator (Bergstra et al., 2011)."""

    title = "tpe"

    def _sampler(self) -> optuna.samplers.BaseSampler:
        import optuna

        return optuna.samplers.TPESampler(seed=self.seed, multivariate=True)


def simplex(raw: Array) -> Array:
    """Non-negative numbers scaled to sum to one; equal weights when all are zero."""
    total = raw.sum()
    return raw / total if total > 0 else np.full(len(raw), 1 / len(raw))


def rounded(weights: Array, grid: int) -> Array:
    """The nearest weights on multiples of 1/grid that sum to one: rounded down, the rest to the largest remainders."""
    steps = np.floor(weights * grid)
    short = round(grid - steps.sum())
    steps[np.argsort(steps - weights * grid, kind="stable")[:short]] += 1
    return steps / grid
