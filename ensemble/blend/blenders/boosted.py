"""LightGBM on the members' logits and a few columns of the photograph: who is to be believed, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.blend.blenders.base import Blender, at_most, pieces, take_rows
from ensemble.blend.blenders.logistic import Split, inner_splits
from ensemble.blend.blenders.studies import new_study
from ensemble.competition.submission import sha256_of
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.decisions import mean_log_loss

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
    "feature_pre_filter": False,  # so that trials of other leaf sizes share a data set
}
_TREES = 30
_MOST_ROWS_TUNING = 5_000


@dataclass(frozen=True)
class _InnerFold:
    """What trees are fitted on, and the rows that score them; binned once for all trials."""

    data: lightgbm.Dataset
    heldout: Logits
    start: Array
    labels: Labels


class BoostedStacking(Blender):
    """Trees that start from the plain mean of the logits and learn where to leave it.

    Depth, steps and penalties are tuned by Optuna on the log loss of inner folds (ledger folds of the rows that it is
    fitted on); a trial that is behind after a fold is stopped there.

    Parameters
    ----------
    members : int
        The first columns, whose mean the trees start from; feature columns may follow.
    """

    title = "boosted"
    most_rows = 30_000
    reads_columns = True

    def __init__(
        self, members: int, trials: int = 4, seed: int = 0, earlier: Sequence[optuna.trial.FrozenTrial] = ()
    ) -> None:
        self.members = members
        self.trials = trials
        self.seed = seed
        self.earlier = earlier[:trials]

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:
        """Tune, then fit; the logits of the rows it was fitted on are those of its inner folds."""
        settings = self._tuned(logits, labels, folds)
        self.booster_ = self._boosted(settings, self._data(logits, labels))
        self._settings, self._labels, self._folds = settings, labels, folds
        return self

    def decision_function(self, logits: Logits) -> Array:
        """Mean logit plus what the trees add."""
        return self._start(logits) + _raw(self.booster_, logits)

    def logits_of_fit(self, logits: Logits) -> Array:
        """Out-of-fold over the inner folds: trees know the rows that they were fitted on too well."""
        out = self.decision_function(logits)
        for fit, heldout in inner_splits(self._folds):
            booster = self._boosted(self._settings, self._data(take_rows(logits, fit), self._labels[fit]))
            held = take_rows(logits, heldout)
            out[heldout] = self._start(held) + _raw(booster, held)
        return out

    def state(self) -> dict[str, Any]:
        """The trees as LightGBM's own text."""
        model = self.booster_.model_to_string()
        return {"kind": "boosted", "members": self.members, "model": model, "model_sha256": sha256_of(model)}

    @classmethod
    def of_text(cls, model: str, sha256: str, members: int) -> BoostedStacking:
        """The blender of trees that were fitted before.

        Raises
        ------
        ValueError
            The text is not what was written: LightGBM would end the process over a damaged one.
        """
        import lightgbm

        if sha256_of(model) != sha256:
            raise ValueError("the trees are not those that were written")
        blender = cls(members)
        blender.booster_ = lightgbm.Booster(model_str=model)
        return blender

    def _tuned(self, logits: Logits, labels: Labels, folds: Folds) -> dict[str, Any]:
        import optuna

        rows = at_most(len(labels), _MOST_ROWS_TUNING)
        X, y, splits = take_rows(logits, rows), labels[rows], list(inner_splits(folds[rows]))
        if not splits:
            return _CAUTIOUS
        folds_inside = [self._inner_fold(X, y, split) for split in splits]
        sampler, pruner = optuna.samplers.TPESampler(seed=self.seed), optuna.pruners.MedianPruner(n_startup_trials=2)
        self.study_ = new_study(self.title, sampler, self.earlier, pruner)
        if not self.earlier:
            self.study_.enqueue_trial(_CAUTIOUS)
        self.study_.optimize(
            lambda trial: self._inner_log_loss(trial, folds_inside),
            n_trials=max(self.trials - len(self.earlier), 0),
        )
        return dict(self.study_.best_params)

    def _inner_log_loss(self, trial: optuna.Trial, folds: list[_InnerFold]) -> float:
        import optuna

        settings = _suggested(trial)
        losses: list[float] = []
        for place, fold in enumerate(folds):
            added = _raw(self._boosted(settings, fold.data), fold.heldout)
            losses.append(mean_log_loss(fold.start + added, fold.labels))
            trial.report(float(np.mean(losses)), place)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(losses))

    def _inner_fold(self, X: Logits, y: Labels, split: Split) -> _InnerFold:
        fit, heldout = split
        held = take_rows(X, heldout)
        return _InnerFold(self._data(take_rows(X, fit), y[fit]), held, self._start(held), y[heldout])

    def _data(self, X: Logits, y: Labels) -> lightgbm.Dataset:
        import lightgbm

        return lightgbm.Dataset(np.ascontiguousarray(X), y, init_score=self._start(X), params=dict(_FIXED))

    def _boosted(self, settings: dict[str, Any], data: lightgbm.Dataset) -> lightgbm.Booster:
        import lightgbm

        return lightgbm.train({**_FIXED, **settings, "seed": self.seed}, data, num_boost_round=_TREES)

    def _start(self, logits: Logits) -> Array:
        mean: Array = logits[:, : self.members].mean(axis=1, dtype=np.float64)
        return mean


_CAUTIOUS = {"learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": 20, "lambda_l2": 10.0}


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
