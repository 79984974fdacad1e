"""Blends of members that separate all rows stay below certainty, and the score of a decision rule is honest."""

from __future__ import annotations

import numpy as np
import pytest

from ensemble.blend.blenders.logistic import LogisticStacking, NonNegativeLogistic
from ensemble.blend.evaluation.threshold import fit_temperature, fit_temperature_and_bias
from ensemble.core.metrics.scores import to_probabilities

LABELS, FOLDS = np.arange(240) % 2, np.arange(240) // 2 % 3


def separated(members: int = 3) -> np.ndarray:
    signs = 2.0 * LABELS[:, None] - 1
    return (signs * np.random.default_rng(0).uniform(1, 3, (240, members))).astype(np.float32)


@pytest.mark.parametrize("blender", [NonNegativeLogistic(), LogisticStacking(trials=3)], ids=lambda b: b.title)
def test_weights_of_separated_rows_are_no_certainty(blender: NonNegativeLogistic | LogisticStacking) -> None:
    logits = blender.fit(separated(), LABELS, FOLDS).decision_function(separated())
    p = to_probabilities(logits)
    assert ((p >= 0.5) == (LABELS == 1)).all()
    assert np.median(np.maximum(p, 1 - p)) < 0.9999, "nobody has seen ten thousand photographs"
    assert len(np.unique(np.round(p, 12))) == 240, "they can be ranked"


@pytest.mark.parametrize("fit", [fit_temperature, fit_temperature_and_bias])
def test_a_temperature_of_separated_rows_is_no_certainty(fit: object) -> None:
    logits = separated(1)[:, 0].astype(float)
    decided = fit(logits, LABELS)(logits)  # type: ignore[operator]
    assert np.median(np.abs(decided)) < 8
