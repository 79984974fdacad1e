from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from ensemble.core.metrics.intervals import auc_standard_error, expected_auc_standard_error


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
