"""Trained models as files: what comes back predicts the same; what could not come back is said, not kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensemble.engine.recipes.saving import load_model, model_files, save_model

X = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
y = (X[:, 0] > 0).astype(np.int64)


class Stranger(ClassifierMixin, BaseEstimator):
    """A classifier that skops has never heard of."""


@pytest.mark.parametrize(
    "head",
    [LogisticRegression(), CalibratedClassifierCV(RidgeClassifier(), ensemble=False, cv=3)],
    ids=lambda head: type(head).__name__,
)
def test_scikit_learn_comes_back_and_predicts_the_same(head: BaseEstimator, tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), head).fit(X, y)
    save_model(model, tmp_path)
    assert np.array_equal(load_model(tmp_path, None).predict_proba(X), model.predict_proba(X))


def test_a_type_that_skops_does_not_trust_is_named() -> None:
    files, note = model_files(make_pipeline(StandardScaler(), Stranger()))
    assert not files
    assert "Stranger, which is not trusted on loading; give the class a save and a load" in note
