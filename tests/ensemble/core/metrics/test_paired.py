from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ensemble.core.metrics.paired import compare, compare_counts, mcnemar


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_exact_test_is_the_binomial_one(gained: int, lost: int) -> None:
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected)


def test_the_bootstrap_is_that_of_photographs() -> None:
    rng = np.random.default_rng(0)
    before, right = rng.random(500) < 0.7, rng.random(500) < 0.8
    found = compare(right, before)
    difference = right.astype(float) - before
    drawn = [difference[rng.integers(0, 500, 500)].mean() for _ in range(4000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.006)
    assert found.high == pytest.approx(high, abs=0.006)
    assert found.difference == pytest.approx(difference.mean())


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [
        (0, 0, "makes the same decisions"),
        (27, 14, "flips 41 photographs, 13 net gained, p = 0.06: not proven"),
        (30, 10, "flips 40 photographs, 20 net gained, p = 2e-03: better"),
        (10, 30, "flips 40 photographs, 20 net lost, p = 2e-03: worse"),
        (1, 0, "flips 1 photograph, 1 net gained, p = 1.00: not proven"),
    ],
)
def test_in_words(gained: int, lost: int, expected: str) -> None:
    right, before = np.ones(100, dtype=bool), np.ones(100, dtype=bool)
    before[:gained] = False
    right[gained : gained + lost] = False
    found = compare(right, before)
    assert found.in_words() == expected
    assert found.proven == expected.endswith("better")


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [
        (8, 1, "flips 9 photographs, 7 net gained, p = 0.04: better"),
        (0, 6, "flips 6 photographs, 6 net lost, p = 0.03: worse"),
        (7, 1, "flips 8 photographs, 6 net gained, p = 0.07: not proven"),
    ],
)
def test_proven_is_at_five_percent(gained: int, lost: int, expected: str) -> None:
    found = compare_counts(gained, lost, 100)
    assert found.in_words() == expected
    assert found.proven == expected.endswith("better")
