"""Linear models of scikit-learn as numbers, so that reading them needs no scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ensemble.core.arrays import Array
from ensemble.predict.bundle.linear import LINEAR, LinearModel, linear_file

_DECIDING: Final = ("LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis")  # expit(decision)
_TOLERANCE: Final = 1e-6
_TRIALS: Final = 64  # rows


@dataclass(frozen=True)
class _Sigmoid:
    """expit(slope * (x . coef + intercept) + offset)."""

    coef: Array
    intercept: float
    slope: float = 1.0
    offset: float = 0.0


def linear_model_file(model: Any, columns: int) -> bytes:
    """Return the file of a fitted scaler, linear classifier and sigmoid calibration, in any order that makes sense.

    Raises
    ------
    ValueError
        It is another kind of model.
    """
    sigmoids = _sigmoids(model)
    content = linear_file(
        np.stack([each.coef for each in sigmoids]),
        np.array([each.intercept for each in sigmoids]),
        np.array([each.slope for each in sigmoids]),
        np.array([each.offset for each in sigmoids]),
    )
    _check_same(model, LinearModel({LINEAR: content}, {}, 1), columns)
    return content


def _sigmoids(model: Any) -> list[_Sigmoid]:
    """Return the sigmoids whose mean is the probability of the second class."""
    kind = type(model).__name__
    if kind == "Pipeline":
        *scalers, last = (step for _, step in model.steps)
        found = _sigmoids(last)
        for scaler in reversed(scalers):
            found = [_before(each, scaler) for each in found]
        return found
    if kind == "CalibratedClassifierCV":
        return [_calibrated(each) for each in model.calibrated_classifiers_]
    if kind in _DECIDING:
        return [_decision(model)]
    raise ValueError(f"a {kind} is neither trees of LightGBM nor a linear model")


def _decision(model: Any) -> _Sigmoid:
    """Return the decision of a linear classifier of two classes."""
    if type(model).__name__ == "Pipeline":
        *scalers, last = (step for _, step in model.steps)
        found = _decision(last)
        for scaler in reversed(scalers):
            found = _before(found, scaler)
        return found
    coef = np.asarray(getattr(model, "coef_", np.empty((0, 0))), dtype=np.float64).reshape(-1)
    intercept = np.asarray(getattr(model, "intercept_", np.empty(0)), dtype=np.float64).reshape(-1)
    if not len(coef) or len(intercept) != 1:
        raise ValueError(f"a {type(model).__name__} is no linear model of two classes")
    return _Sigmoid(coef, float(intercept[0]))


def _calibrated(classifier: Any) -> _Sigmoid:
    (calibrator,) = classifier.calibrators
    if type(calibrator).__name__ != "_SigmoidCalibration":
        raise ValueError(f"calibration by {type(calibrator).__name__.strip('_')} is no sigmoid")
    decision = _decision(classifier.estimator)
    return _Sigmoid(decision.coef, decision.intercept, -float(calibrator.a_), -float(calibrator.b_))


def _before(sigmoid: _Sigmoid, scaler: Any) -> _Sigmoid:
    """Return the sigmoid of columns as they are in front of a scaler."""
    if type(scaler).__name__ != "StandardScaler":
        raise ValueError(f"a {type(scaler).__name__} in front of the model is no scaler")
    columns = len(sigmoid.coef)
    scale = np.ones(columns) if scaler.scale_ is None else scaler.scale_
    mean = np.zeros(columns) if not scaler.with_mean else scaler.mean_
    coef = sigmoid.coef / scale
    return _Sigmoid(coef, sigmoid.intercept - float(coef @ mean), sigmoid.slope, sigmoid.offset)


def _check_same(model: Any, found: LinearModel, columns: int) -> None:
    X = np.random.default_rng(0).normal(size=(_TRIALS, columns)).astype(np.float32)
    difference = float(np.abs(found(X) - model.predict_proba(X)[:, 1]).max())
    if not difference <= _TOLERANCE:
        raise ValueError(f"as numbers it would predict differently, by {difference:.1e}")
