"""A store with members of every kind: planted features, raw pixels, one trained elsewhere, one that lacks a fold."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from ensemble.blend.run import blend
from ensemble.report.facts.material import Material
from ensemble.store.external.importing import import_predictions
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from tests.competitions import write_config
from tests.conftest import train_inline
from tests.records import change_record
from tests.shared import built_once

_PLANTED = "features: {use: tests.families.Planted}"
MEMBERS = f"""
  - name: boosted
    {_PLANTED}
    model: {{use: lightgbm.LGBMClassifier, n_estimators: 20, min_child_samples: 4, verbose: -1}}
  - name: scaled
    {_PLANTED}
    model:
      use: sklearn.pipeline.Pipeline
      steps:
        - [scale, {{use: sklearn.preprocessing.StandardScaler}}]
        - - ridge
          - use: sklearn.calibration.CalibratedClassifierCV
            estimator: {{use: sklearn.linear_model.RidgeClassifier, alpha: 3}}
            ensemble: false
            cv: 3
  - name: unscaled
    {_PLANTED}
    model: {{use: sklearn.linear_model.LogisticRegression, max_iter: 2000}}
  - name: forest
    {_PLANTED}
    model: {{use: sklearn.ensemble.RandomForestClassifier, n_estimators: 20, max_depth: 2}}
  - name: pixels
    model: {{use: tests.foreign.HighPass}}
"""


@pytest.fixture(scope="session")
def mixed(competition_folder: Path) -> OofStore:
    """Read only. `imported` was trained elsewhere, fold 1 of `pixels` is gone, `boosted` tells a history."""
    return OofStore(built_once("mixed", lambda folder: _build(folder, competition_folder)) / "oof" / "mixed")


def _build(folder: Path, competition_folder: Path) -> None:
    extra = "folds: {n_folds: 3}\nblend: {methods: [mean, single_best], trials: 5}"
    config = write_config(folder / "mixed.yaml", MEMBERS, name="mixed")
    config.write_text(config.read_text().replace("folds: {n_folds: 3}\nblend: {trials: 10}", extra))
    store = train_inline(config, competition_folder, folder / "oof")
    _import(store, folder)
    shutil.rmtree(store.fold_folder("pixels", 1))
    for fold in range(3):
        history = [
            {"epoch": e, "loss": 1 / e + fold, "accuracy": 1 - 0.5 / e, "seed": seed} for seed in (0, 1) for e in (1, 2)
        ]
        change_record(store.fold_folder("boosted", fold), history=history)
    blend(store)


def _import(store: OofStore, folder: Path) -> None:
    rng, ledger, names = np.random.default_rng(0), store.ledger(), store.sample().names
    oof = ledger.table[["name", "fold"]].assign(pred=expit(rng.normal(2 * ledger.labels - 1, 2)))
    oof.to_csv(folder / "theirs.csv", index=False)
    pd.DataFrame({"name": names, "pred": rng.uniform(size=len(names))}).to_csv(folder / "their_test.csv", index=False)
    import_predictions(store, "imported", folder / "theirs.csv", folder / "their_test.csv")


@pytest.fixture(scope="session")
def material(mixed: OofStore) -> Material:
    """Of that store."""
    return Material.of(mixed, mixed.experiment(), load_predictions(mixed))
