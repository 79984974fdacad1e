"""Members compared two by two, and all together, where folds are missing and where nobody errs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ensemble.report.facts.material import Material
from ensemble.report.sections.diversity import diversity
from ensemble.store.predictions import Predictions

pytestmark = pytest.mark.training


def with_logits(material: Material, logits: np.ndarray) -> Material:
    predictions: Predictions = replace(material.predictions, oof_logits=logits.astype(np.float32))
    return replace(material, predictions=predictions)


def test_two_members_are_compared_where_both_have_predicted(material: Material) -> None:
    logits = material.predictions.oof_logits.copy()
    logits[::3, 0] = np.nan
    logits[:, 1] = np.where(np.isnan(logits[:, 0]), logits[:, 1], 2.5)  # constant where the first one is known
    found = with_logits(material, logits).likeness
    expected = pd.DataFrame(logits).corr(min_periods=2).to_numpy().copy()
    assert np.isnan(found.correlation[0, 1])
    expected[0, 1] = expected[1, 0] = np.nan
    np.testing.assert_allclose(found.correlation, expected, rtol=1e-4, atol=1e-5)
    assert found.common[0, 0] == np.isfinite(logits[:, 0]).sum()


def test_the_lead_counts_the_photographs_that_all_have_predicted(material: Material) -> None:
    logits = material.predictions.oof_logits.copy()
    logits[:7, 0] = np.nan
    section = diversity(with_logits(material, logits))
    assert section is not None
    assert f"on the {int(np.isfinite(logits).all(axis=1).sum())} training photographs that all" in section.lead


def test_where_nobody_errs_there_are_no_groups(material: Material) -> None:
    sure = np.where(material.labels == 1, 3.0, -3.0)[:, None] * np.ones(len(material.predictions.members))
    section = diversity(with_logits(material, sure))
    assert section is not None
    assert "The largest group: none." in str(section.blocks)


def test_likeness_adds_up_over_blocks_of_rows(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = material.likeness
    monkeypatch.setattr("ensemble.report.facts.material.ROWS_AT_ONCE", 7)
    parts = replace(material).likeness
    for name in ("common", "both_wrong", "wrong", "correlation"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5, atol=1e-6)
