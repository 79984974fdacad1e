from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from ensemble.core.metrics.intervals import paired_standard_error, standard_error
from ensemble.core.metrics.scores import (
    area_under_curve,
    correct_probabilities,
    expected_calibration_error,
    fold_accuracies,
    score,
    to_logits,
    to_probabilities,
)

probabilities = st.lists(st.floats(0, 1), min_size=4, max_size=60)


def labels_for(n: int) -> np.ndarray:
    return np.arange(n) % 2


def test_one_half_is_fake() -> None:
    probabilities = np.array([0.5, 0.5, np.nextafter(0.5, 0)])
    assert correct_probabilities(probabilities, np.array([1, 0, 0])).tolist() == [True, False, True]


@given(probabilities)
def test_scores_equal_those_of_scikit_learn(values: list[float]) -> None:
    p, y = np.array(values), labels_for(len(values))
    found = score(p, y)
    assert found.accuracy == accuracy_score(y, p >= 0.5)
    assert found.auc == pytest.approx(roc_auc_score(y, p))
    assert found.log_loss == pytest.approx(log_loss(y, np.clip(p, 1e-7, 1 - 1e-7)))
    assert found.standard_error == pytest.approx(math.sqrt(found.accuracy * (1 - found.accuracy) / len(y)))


@given(probabilities)
def test_logits_keep_every_decision(values: list[float]) -> None:
    p = np.array(values)
    logits = to_logits(p)
    assert np.isfinite(logits).all()
    assert ((logits >= 0) == (p >= 0.5)).all()
    np.testing.assert_allclose(to_probabilities(logits), p, atol=1.1e-7)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_probabilities_equal_those_of_scipy(values: list[float]) -> None:
    logits = np.array(values)
    subnormal = np.finfo(float).tiny  # which some libraries have flushed to zero in the whole process
    np.testing.assert_allclose(to_probabilities(logits), expit(logits), rtol=1e-14, atol=subnormal)
    p = np.clip(expit(logits), 1e-7, 1 - 1e-7)
    np.testing.assert_allclose(to_logits(p), logit(p), rtol=1e-12, atol=1e-12)


def test_calibration_error() -> None:
    y = labels_for(1000)
    assert expected_calibration_error(np.full(1000, 0.5), y) == pytest.approx(0.0)
    assert expected_calibration_error(np.full(1000, 0.8), y) == pytest.approx(0.3)
    assert expected_calibration_error(y.astype(float), y) == 0.0


def test_paired_error_counts_only_differences() -> None:
    a = np.array([True] * 90 + [False] * 10)
    assert paired_standard_error(a, a) == 0.0
    b = a.copy()
    b[0] = False
    assert paired_standard_error(a, b) == pytest.approx(math.sqrt(0.01 * 0.99 / 100))
    assert paired_standard_error(a, b) < standard_error(a)


def test_errors_of_calibration_in_two_bins_do_not_cancel() -> None:
    y = np.arange(20) % 2
    assert expected_calibration_error(np.repeat([0.1, 0.9], 10), y) == pytest.approx(0.4)
    close = np.repeat([0.41, 0.45], 10)  # in one bin of 15, from 0.4 to 0.467
    assert expected_calibration_error(close, y) == pytest.approx(0.07)


def test_bins_of_calibration_have_a_fifteenth_each() -> None:
    close, apart = np.array([0.935, 0.945]), np.array([0.925, 0.945])
    assert expected_calibration_error(close, np.array([1, 0])) == pytest.approx((0.945 - 0.065) / 2), "one bin"
    assert expected_calibration_error(apart, np.array([1, 0])) == pytest.approx((0.945 + 0.075) / 2), "the last two"


def test_certainty_is_in_the_last_bin() -> None:
    assert expected_calibration_error(np.array([1.0, 0.99]), np.array([0, 1])) == pytest.approx(0.99 / 2)


def test_a_fold_of_one_row_has_an_accuracy() -> None:
    assert fold_accuracies(np.array([True, False, True]), np.array([0, 2, 2])).tolist() == [1, 0.5]


def test_each_fold_that_has_rows_has_an_accuracy() -> None:
    right, folds = np.array([True, False, True, False, False]), np.array([0, 0, 0, 2, 3])
    assert fold_accuracies(right, folds).tolist() == pytest.approx([2 / 3, 0, 0])


def test_without_one_of_the_classes_there_is_no_area() -> None:
    scores = np.array([0.1, 0.9])
    assert math.isnan(area_under_curve(scores, np.array([1, 1])))
    assert math.isnan(area_under_curve(scores, np.array([0, 0])))
    assert area_under_curve(scores, np.array([0, 1])) == 1.0
