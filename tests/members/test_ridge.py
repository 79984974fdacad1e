"""CalibratedRidge: the probabilities of scikit-learn's pipeline, from one decomposition."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from members.ridge import CalibratedRidge


def table(rows: int, columns: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Correlated columns of different scales, one of them constant, and labels that depend on some."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 5)) @ rng.normal(size=(5, columns)) + rng.normal(size=(rows, columns))
    y = (X[:, 0] + rng.normal(size=rows) > 0).astype(np.int64)
    X = X * rng.uniform(0.1, 10, columns) + rng.normal(0, 5, columns)
    X[:, columns // 2] = 7
    return X.astype(np.float32), y


@pytest.mark.training
@settings(max_examples=20, deadline=None)
@given(st.integers(40, 120), st.integers(3, 200), st.sampled_from([1e-4, 0.3, 10.0, 300.0]), st.integers(2, 5))
def test_its_probabilities_are_those_of_the_pipeline(rows: int, columns: int, alpha: float, cv: int) -> None:
    X, y = table(rows + 30, columns, seed=rows)
    ridge = CalibratedClassifierCV(RidgeClassifier(alpha, solver="cholesky"), ensemble=False, cv=cv)
    pipeline = make_pipeline(StandardScaler(), ridge).fit(X[:rows].astype(np.float64), y[:rows])
    ours = CalibratedRidge(alpha, cv=cv).fit(X[:rows], y[:rows]).predict_proba(X[rows:])
    np.testing.assert_allclose(ours, pipeline.predict_proba(X[rows:].astype(np.float64)), atol=2e-4)


@pytest.mark.training
@pytest.mark.parametrize(("estimator", "check"), list(estimator_checks_generator(CalibratedRidge())))
def test_follows_the_rules_of_scikit_learn(estimator: CalibratedRidge, check: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)  # type: ignore[operator]


@pytest.mark.parametrize("columns", [30, 90])
def test_reads_back_what_it_wrote(columns: int, tmp_path: Path) -> None:
    X, y = table(60, columns)
    model = CalibratedRidge(3.0, cv=4).fit(X, y)
    model.save(tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < 8 * columns + 1000
    again = CalibratedRidge.load(tmp_path)
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_an_unfitted_one_predicts_and_saves_nothing(tmp_path: Path) -> None:
    X, y = table(30, 10)
    for act in (lambda model: model.predict_proba(X), lambda model: model.save(tmp_path)):
        with pytest.raises(NotFittedError):
            act(clone(CalibratedRidge().fit(X, y)))
    with pytest.raises(ValueError, match="alpha"):
        CalibratedRidge(0.0).fit(X, y)
    with pytest.raises(ValueError, match="binary, of 1 class"):
        CalibratedRidge().fit(X, np.zeros(30))
