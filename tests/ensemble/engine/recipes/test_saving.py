"""Trained models as files: what comes back predicts the same; what could not come back is said, not kept."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensemble.engine.recipes.saving import load_model, model_files, model_of_files, save_model

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


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(5),
        ExtraTreesClassifier(5),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        AdaBoostClassifier(n_estimators=3),
        KNeighborsClassifier(),
        MLPClassifier(max_iter=5),
        make_pipeline(SimpleImputer(), LogisticRegression()),
        make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=3, verbose=-1)),
        VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
        StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())]),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.filterwarnings("ignore")
def test_stock_models_are_kept(model: BaseEstimator) -> None:
    files, note = model_files(model.fit(X, y))
    assert note == ""
    assert np.array_equal(model_of_files(files, None).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(("library", "name"), [("xgboost", "XGBClassifier"), ("catboost", "CatBoostClassifier")])
def test_boosters_of_other_libraries_are_kept_in_their_json(library: str, name: str) -> None:
    """Where they are installed; the project does not need them."""
    quiet = {"verbose": 0, "allow_writing_files": False} if library == "catboost" else {}
    model = getattr(pytest.importorskip(library), name)(n_estimators=3, **quiet)
    for fitted in (model.fit(X, y), make_pipeline(StandardScaler(), model).fit(X, y)):
        files, note = model_files(fitted)
        assert note == ""
        assert f"{library}.json" in files
        np.testing.assert_allclose(model_of_files(files, None).predict_proba(X), fitted.predict_proba(X), atol=1e-6)


def test_a_type_that_skops_does_not_trust_is_named() -> None:
    files, note = model_files(make_pipeline(StandardScaler(), Stranger()))
    assert not files
    assert (
        "Stranger, which is not trusted on loading; give tests.ensemble.engine.recipes.test_saving.Stranger a save"
        in note
    )


def test_without_room_for_the_model_the_predictions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = LogisticRegression().fit([[0], [1]], [0, 1])
    monkeypatch.setattr(tempfile, "mkdtemp", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    files, note = model_files(fitted)
    assert files == {}
    assert "No space left" in note


class Halved(LGBMClassifier):
    """A booster that answers otherwise than its trees do."""

    def predict_proba(self, X: Any, **how: Any) -> Any:
        return super().predict_proba(X, **how) / 2 + 0.25


def test_a_booster_of_ones_own_is_not_taken_for_lightgbms() -> None:
    X = np.random.default_rng(0).normal(size=(80, 3))
    files, note = model_files(Halved(n_estimators=5, verbose=-1).fit(X, X[:, 0] > 0))
    assert files == {}
    assert "Halved" in note
