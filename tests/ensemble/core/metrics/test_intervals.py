from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap
from sklearn.metrics import roc_auc_score

from ensemble.core.metrics.intervals import (
    auc_standard_error,
    expected_auc_standard_error,
    proportion_standard_error,
    proportion_variance,
    wilson_interval,
)


def test_the_error_of_the_auc_is_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 2
    scores = rng.normal(labels, 1.0).round(1)  # with ties
    found = bootstrap(
        (scores[labels == 1], scores[labels == 0]),
        lambda fakes, reals: roc_auc_score([1] * len(fakes) + [0] * len(reals), [*fakes, *reals]),
        n_resamples=300, vectorized=False, rng=rng, method="percentile",
    )  # fmt: skip
    assert auc_standard_error(scores, labels) == pytest.approx(found.standard_error, rel=0.15)
    assert math.isnan(auc_standard_error(scores[:2], labels[:2]))


def test_both_errors_of_an_auc_agree_on_normal_scores() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(4000) % 2
    scores = rng.normal(labels, 1.0)
    expected = expected_auc_standard_error(float(roc_auc_score(labels, scores)), 2000, 2000)
    assert auc_standard_error(scores, labels) == pytest.approx(expected, rel=0.05)


def test_the_error_of_chance_is_that_of_the_rank_sum() -> None:
    assert expected_auc_standard_error(0.5, 10, 30) == pytest.approx(math.sqrt(41 / (12 * 300)))
    assert expected_auc_standard_error(0.2, 10, 30) == pytest.approx(expected_auc_standard_error(0.8, 10, 30))
    assert expected_auc_standard_error(1.0, 10, 30) == 0
    assert expected_auc_standard_error(0.9, 10, 30) == pytest.approx(0.068312, abs=1e-6), "by hand"


@pytest.mark.parametrize("n", [1, 2, 7, 200])
def test_the_interval_is_that_of_a_library(n: int) -> None:
    for right in range(n + 1):
        low, high = wilson_interval(right, n)
        expected = binomtest(right, n).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-4)
        assert 0 <= low < high <= 1


def test_the_variance_of_a_share_is_never_zero() -> None:
    assert proportion_variance(np.array([True, True, False, True])) == pytest.approx(4 / 6 * 2 / 6 / 4)
    assert proportion_variance(np.zeros(10, dtype=bool)) == pytest.approx(1 / 12 * 11 / 12 / 10)
    assert proportion_standard_error(np.ones(10, dtype=bool)) == pytest.approx(math.sqrt(11 / 12 * 1 / 12 / 10))
    assert math.isnan(proportion_standard_error(np.zeros(0, dtype=bool)))


def test_the_error_of_an_auc_of_few() -> None:
    """By hand: the shares below are 1/2, 1/2, 1 and 1/3, 1 (DeLong et al., 1988)."""
    scores, labels = np.array([1.0, 1.0, 3.0, 0.0, 2.0]), np.array([1, 1, 1, 0, 0])
    assert auc_standard_error(scores, labels) == pytest.approx(math.sqrt((1 / 12) / 3 + (2 / 9) / 2))
    assert math.isnan(auc_standard_error(scores[:4], labels[:4]))
