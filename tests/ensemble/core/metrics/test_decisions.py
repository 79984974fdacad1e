"""Decisions are counted first, and log loss decides between equals."""

from __future__ import annotations

import numpy as np
import pytest

from ensemble.core.metrics.decisions import DecisionCounter, correct_logits, mean_log_loss, wrong_then_log_loss
from tests.ensemble.blend.worlds import world


def test_a_decision_outweighs_any_log_loss() -> None:
    fakes = np.array([1, 1])
    assert wrong_then_log_loss(np.array([-50.0, 3.0]), fakes) == pytest.approx(1.96157, abs=1e-4)
    assert wrong_then_log_loss(np.array([-50.0, 3.0]), fakes) < wrong_then_log_loss(np.array([-0.01, -0.01]), fakes)


def test_running_sums_have_the_log_loss_of_the_mean() -> None:
    logits, labels = world(200, [0.5, 0.8])
    counter = DecisionCounter(logits, labels)
    total = counter.start + counter.margins[0] + counter.margins[1]
    assert counter.log_loss(total, 2) == pytest.approx(mean_log_loss(logits.mean(axis=1), labels), abs=1e-4)


def test_the_smallest_logits_keep_their_sign() -> None:
    tiny = DecisionCounter(np.array([[-1e-7], [-1e-7]], np.float32), np.array([0, 1]))
    assert (tiny.start + tiny.margins[0] > 0).tolist() == [True, False]


def test_decisions_after_each_member_are_counted() -> None:
    logits = np.array([[1.0, -1.0], [-2.0, 1.0], [0.5, -1.5]], np.float32)
    counter = DecisionCounter(logits, np.array([1, 0, 1]))
    counts = counter.counts(counter.start + counter.margins[0], np.array([0, 1]))
    assert counts.tolist() == [3, 2], "a sum of zero is fake"
    assert correct_logits(np.array([0.0, 0.0, -1e-9]), np.array([1, 0, 1])).tolist() == [True, False, False]


def test_large_losses_are_as_large_as_they_are() -> None:
    expected = (100 + 80 + np.log1p(np.exp(-3.0))) / 3
    assert mean_log_loss(np.array([-100.0, -80.0, 3.0]), np.array([1, 1, 1])) == pytest.approx(expected, rel=1e-6)
    assert wrong_then_log_loss(np.array([-1e12]), np.array([1])) < 2
