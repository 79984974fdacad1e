"""Search a booster's settings by out-of-fold log loss, on the folds of a config.

`make bench NAME=booster_search ARGS="CONFIG DATA TRIALS [FAMILY ...]"`. The folds are those of the config, so the score
of the best trial is that of its member, and as optimistic as the best of many is. Optuna's median rule stops a trial
after a fold in which it is behind.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import optuna
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.utils.parallel import Parallel, delayed

from ensemble.competition.dataset import Competition
from ensemble.config import load_experiment
from ensemble.folds.ledger import FoldLedger
from ensemble.folds.near_duplicates import near_duplicate_groups
from members.forensics import ForensicFeatures
from members.forensics.transformer import DEFAULT_FAMILIES

CHUNK = 100
FIXED = {
    "max_bin": 63,
    "subsample_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
    "random_state": 0,
}


def suggested(trial: optuna.Trial) -> dict[str, float | int]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.1, log=True),
        "n_estimators": trial.suggest_int("n_estimators", 200, 1000, step=100),
        "num_leaves": trial.suggest_int("num_leaves", 3, 15),
        "min_child_samples": trial.suggest_int("min_child_samples", 5, 60, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.01, 0.2, log=True),
        "subsample": trial.suggest_float("subsample", 0.4, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 100, log=True),
        "path_smooth": trial.suggest_float("path_smooth", 0.01, 10, log=True),
    }


def table_and_folds(config: Path, data: Path, families: list[str]) -> tuple[NDArray[np.float32], FoldLedger]:
    experiment = load_experiment(config)
    competition = Competition.open(data, experiment.data)
    rows, X = competition.train, competition.decode()[: len(competition.train.names)]
    groups = near_duplicate_groups(rows.names, X, rows.groups, experiment.folds.near_duplicate_distance)
    ledger = FoldLedger.cut(rows.names, rows.labels, groups, experiment.folds)
    transform = ForensicFeatures(families=families).transform
    chunks = (X[start : start + CHUNK] for start in range(0, len(X), CHUNK))
    parts = Parallel(n_jobs=-1)(delayed(transform)(chunk) for chunk in chunks)
    table = dict(zip(rows.names, np.concatenate(parts), strict=True))
    return np.stack([table[name] for name in ledger.table["name"]]), ledger


def search(table: NDArray[np.float32], ledger: FoldLedger, trials: int) -> optuna.Study:
    def loss(trial: optuna.Trial) -> float:
        settings = suggested(trial)
        p = np.full(len(table), np.nan)
        for fold in range(ledger.folds.max() + 1):
            held_out = ledger.folds == fold
            model = LGBMClassifier(**settings, **FIXED).fit(table[~held_out], ledger.labels[~held_out])
            p[held_out] = model.predict_proba(table[held_out])[:, 1]
            seen = ~np.isnan(p)
            trial.report(log_loss(ledger.labels[seen], p[seen]), fold)
            if trial.should_prune():
                raise optuna.TrialPruned
        trial.set_user_attr("accuracy", float(((p >= 0.5) == ledger.labels).mean()))
        trial.set_user_attr("AUC", float(roc_auc_score(ledger.labels, p)))
        return float(log_loss(ledger.labels, p))

    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=0), pruner=optuna.pruners.MedianPruner(n_startup_trials=5)
    )
    study.optimize(loss, n_trials=trials)
    return study


def main() -> None:
    config, data, trials, *families = sys.argv[1:]
    study = search(*table_and_folds(Path(config), Path(data), families or list(DEFAULT_FAMILIES)), int(trials))
    best = study.best_trial
    found = {"settings": best.params, "log loss": best.value, **best.user_attrs, "trials": len(study.trials)}
    print(json.dumps({"benchmark": "booster_search", **found, "absent": []}, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
