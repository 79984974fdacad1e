"""LightGBM on the members' logits and a few columns of the photograph, which learns when to trust which member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.blend.blenders.base import Blender
from ensemble.blend.blenders.rows import Split, at_most, inner_splits, pieces, take_rows
from ensemble.blend.blenders.studies import new_study
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.decisions import mean_log_loss
from ensemble.core.storage.hashing import text_sha256

if TYPE_CHECKING:
    from typing import Self

    import lightgbm
    import optuna

_FIXED = {
    "objective": "binary",
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "max_bin": 63,
    "bin_construct_sample_cnt": 5_000,
    "feature_pre_filter": False,  # so that trials with different leaf sizes share a data set
}
_CAUTIOUS = {"learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": 20, "lambda_l2": 10.0}  # the first trial
_TREES = 30
_MOST_ROWS_TUNING = 5_000


@dataclass(frozen=True)
class _InnerFold:
    """Rows to fit trees on, binned once for all trials, and the rows that score them."""

    data: lightgbm.Dataset
    heldout: Logits
    start: Array
    labels: Labels


class BoostedStacking(Blender):
    """Trees that start from the plain mean of the logits and learn corrections.

    Depth, learning rate and penalties are tuned by Optuna on the log loss of inner folds (ledger folds of the rows of
    `fit`); a trial that is worse than the median after a fold is pruned.

    Parameters
    ----------
    members : int
        Number of members: the first columns, whose mean the trees start from; feature columns may follow.
    """

    title = "boosted"
    most_rows = 30_000
    reads_columns = True

    def __init__(self, members: int, trials: int = 4, seed: int = 0) -> None:
        self.members = members
        self.trials = trials
        self.seed = seed

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Tune, then fit."""
        self.settings_ = self._tune(logits, labels, folds)
        self.booster_ = self._boost(self.settings_, self._data(logits, labels))
        return self

    def decision_function(self, logits: Logits) -> Array:
        """Return the mean logit plus what the trees add."""
        return self._start(logits) + _raw(self.booster_, logits)

    def logits_of_fit(self, logits: Logits, labels: Labels, folds: Folds) -> Array:
        """Return out-of-fold logits over the inner folds: trees overfit the rows that they were fitted on."""
        out = self.decision_function(logits)
        for fit, heldout in inner_splits(folds):
            booster = self._boost(self.settings_, self._data(take_rows(logits, fit), labels[fit]))
            X = take_rows(logits, heldout)
            out[heldout] = self._start(X) + _raw(booster, X)
        return out

    def state(self) -> dict[str, Any]:
        """Return the trees in LightGBM's text format."""
        model = self.booster_.model_to_string()
        return {"kind": "boosted", "members": self.members, "model": model, "model_sha256": text_sha256(model)}

    @classmethod
    def from_text(cls, model: str, sha256: str, members: int) -> BoostedStacking:
        """Return the blender of trees that were fitted before.

        Raises
        ------
        ValueError
            The text is not the one that was written. LightGBM would abort the process on a damaged one.
        """
        import lightgbm

        if text_sha256(model) != sha256:
            raise ValueError("the trees do not match their sha256")
        blender = cls(members)
        blender.booster_ = lightgbm.Booster(model_str=model)
        return blender

    def _tune(self, logits: Logits, labels: Labels, folds: Folds) -> dict[str, Any]:
        import optuna

        rows = at_most(len(labels), _MOST_ROWS_TUNING)
        X, y, splits = take_rows(logits, rows), labels[rows], list(inner_splits(folds[rows]))
        if not splits:
            return _CAUTIOUS
        inner = [self._inner_fold(X, y, split) for split in splits]
        sampler, pruner = optuna.samplers.TPESampler(seed=self.seed), optuna.pruners.MedianPruner(n_startup_trials=2)
        self.study_ = new_study(self.title, sampler, pruner)
        self.study_.enqueue_trial(_CAUTIOUS)
        self.study_.optimize(lambda trial: self._inner_log_loss(trial, inner), n_trials=self.trials)
        return dict(self.study_.best_params)

    def _inner_log_loss(self, trial: optuna.Trial, folds: list[_InnerFold]) -> float:
        import optuna

        settings = _suggested(trial)
        losses: list[float] = []
        for step, fold in enumerate(folds):
            added = _raw(self._boost(settings, fold.data), fold.heldout)
            losses.append(mean_log_loss(fold.start + added, fold.labels))
            trial.report(float(np.mean(losses)), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(losses))

    def _inner_fold(self, X: Logits, y: Labels, split: Split) -> _InnerFold:
        fit, heldout = split
        scored = take_rows(X, heldout)
        return _InnerFold(self._data(take_rows(X, fit), y[fit]), scored, self._start(scored), y[heldout])

    def _data(self, X: Logits, y: Labels) -> lightgbm.Dataset:
        import lightgbm

        return lightgbm.Dataset(np.ascontiguousarray(X), y, init_score=self._start(X), params=dict(_FIXED))

    def _boost(self, settings: dict[str, Any], data: lightgbm.Dataset) -> lightgbm.Booster:
        import lightgbm

        return lightgbm.train({**_FIXED, **settings, "seed": self.seed}, data, num_boost_round=_TREES)

    def _start(self, logits: Logits) -> Array:
        mean: Array = logits[:, : self.members].mean(axis=1, dtype=np.float64)
        return mean


def _suggested(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 2, 12),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, 100, log=True),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 100, log=True),
    }


def _raw(booster: lightgbm.Booster, X: Logits) -> Array:
    raw = np.empty(len(X))
    for rows in pieces(np.arange(len(X))):
        raw[rows] = np.asarray(booster.predict(np.ascontiguousarray(X[rows]), raw_score=True, num_threads=1))
    return raw
