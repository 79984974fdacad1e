"""Decisions are counted first, and log loss decides between equals."""

from __future__ import annotations

import numpy as np
import pytest

from ensemble.core.metrics.decisions import DecisionCounter, mean_log_loss, wrong_then_log_loss
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
