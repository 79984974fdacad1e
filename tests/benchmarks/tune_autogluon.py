"""Run by `tune.py` with another Python, which has AutoGluon: predicts each fold from the others, and saves that."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd


def main() -> None:
    from autogluon.tabular import TabularPredictor

    folder, seconds = sys.argv[1], float(sys.argv[2])
    with np.load(f"{folder}/data.npz") as arrays:
        table, labels, folds = pd.DataFrame(arrays["X"]).add_prefix("c"), arrays["labels"], arrays["folds"]
    found = np.empty(len(labels))
    for fold in np.unique(folds):
        training, held_out = table[folds != fold].assign(label=labels[folds != fold]), table[folds == fold]
        predictor = TabularPredictor("label", path=f"{folder}/models-{fold}", eval_metric="log_loss", verbosity=0)
        predictor.fit(training, time_limit=seconds, presets="medium_quality", num_cpus=2)
        found[folds == fold] = predictor.predict_proba(held_out)[1]
    np.save(f"{folder}/oof.npy", found)


if __name__ == "__main__":
    main()
