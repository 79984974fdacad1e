"""Linear models of scikit-learn as numbers, so that reading them needs no scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ensemble.core.arrays import Array
from ensemble.predict.bundle.linear import LINEAR, LinearModel, linear_file

_DECIDING: Final = ("LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis")  # expit(decision)
_TOLERANCE: Final = 1e-5  # scikit-learn computes in the columns' own, single precision
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
    last, scalers = _last_step(model)
    kind = type(last).__name__
    if kind == "CalibratedClassifierCV":
        found = [_calibrated(each) for each in last.calibrated_classifiers_]
    elif kind in _DECIDING:
        found = [_decision(last)]
    else:
        raise ValueError(f"a {kind} is neither trees of LightGBM nor a linear model")
    return [_behind(each, scalers) for each in found]


def _last_step(model: Any) -> tuple[Any, list[Any]]:
    """Return the last step of a pipeline, and those in front of it."""
    if type(model).__name__ != "Pipeline":
        return model, []
    *scalers, last = (step for _, step in model.steps)
    return last, scalers


def _decision(model: Any) -> _Sigmoid:
    """Return the decision of a linear classifier of two classes."""
    last, scalers = _last_step(model)
    coef = np.asarray(getattr(last, "coef_", np.empty((0, 0))), dtype=np.float64).reshape(-1)
    intercept = np.asarray(getattr(last, "intercept_", np.empty(0)), dtype=np.float64).reshape(-1)
    if not len(coef) or len(intercept) != 1:
        raise ValueError(f"a {type(last).__name__} is no linear model of two classes")
    return _behind(_Sigmoid(coef, float(intercept[0])), scalers)


def _calibrated(classifier: Any) -> _Sigmoid:
    (calibrator,) = classifier.calibrators
    if type(calibrator).__name__ != "_SigmoidCalibration":
        raise ValueError(f"calibration by {type(calibrator).__name__.strip('_')} is no sigmoid")
    decision = _decision(classifier.estimator)
    return _Sigmoid(decision.coef, decision.intercept, -float(calibrator.a_), -float(calibrator.b_))


def _behind(sigmoid: _Sigmoid, scalers: list[Any]) -> _Sigmoid:
    """Return the sigmoid of columns as they are in front of scalers."""
    for scaler in reversed(scalers):
        if type(scaler).__name__ != "StandardScaler":
            raise ValueError(f"a {type(scaler).__name__} in front of the model is no scaler")
        scale = np.ones(len(sigmoid.coef)) if scaler.scale_ is None else scaler.scale_
        mean = np.zeros(len(sigmoid.coef)) if not scaler.with_mean else scaler.mean_
        coef = sigmoid.coef / scale
        sigmoid = _Sigmoid(coef, sigmoid.intercept - float(coef @ mean), sigmoid.slope, sigmoid.offset)
    return sigmoid


def _check_same(model: Any, found: LinearModel, columns: int) -> None:
    """Compare on rows whose decisions are spread around zero, where probabilities differ most."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(_TRIALS, columns))
    for scaler in _last_step(model)[1][:1]:
        X = X * (1 if scaler.scale_ is None else scaler.scale_) + (scaler.mean_ if scaler.with_mean else 0)
    rows = X.astype(np.float32)
    difference = float(np.abs(found(rows) - model.predict_proba(rows)[:, 1]).max())
    if not difference <= _TOLERANCE:
        raise ValueError(f"as numbers it would predict differently, by {difference:.1e}")
