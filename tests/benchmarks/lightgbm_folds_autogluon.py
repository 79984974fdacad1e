"""Run by `lightgbm_folds.py` with another Python, which has AutoGluon: prints the seconds of fit and predict."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd


def main() -> None:
    from autogluon.tabular import TabularPredictor

    folder, strategy, settings = sys.argv[1:]
    with np.load(f"{folder}/data.npz") as arrays:
        X, labels = arrays["X"], arrays["labels"]
    table = pd.DataFrame(X).add_prefix("c")
    train = table[: len(labels)].assign(label=labels)
    models = [
        {**each, "ag_args_fit": {"num_cpus": 1 if strategy.startswith("par") else 2}} for each in json.loads(settings)
    ]
    begun = time.perf_counter()
    predictor = TabularPredictor("label", path=f"{folder}/models", verbosity=0).fit(
        train,
        hyperparameters={"GBM": models},
        num_bag_folds=5,
        num_stack_levels=0,
        fit_weighted_ensemble=False,
        ag_args_ensemble={"fold_fitting_strategy": strategy},
        num_cpus=2,
    )
    for name in predictor.model_names():
        predictor.predict_proba(table[len(labels) :], model=name)
        predictor.predict_proba_oof(name)
    print(time.perf_counter() - begun)  # noqa: T201


if __name__ == "__main__":
    main()
