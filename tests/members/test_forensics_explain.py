"""What a booster saw, by family and in words; the mean spectra of two classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from scipy.special import logit

from members.forensics import ForensicFeatures, family_contributions, in_words, spectrum_bands


@pytest.fixture(scope="module")
def fitted():
    """A booster that can only use the first column of `colour`."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4)).astype(np.float32)
    y = (X[:, 2] > 0).astype(int)
    columns = ["spectrum/Y/a", "spectrum/Y/b", "colour/R/a", "dct/Y/a"]
    return LGBMClassifier(n_estimators=30, verbose=-1).fit(X, y), columns, X, y


def test_contributions_add_up_to_the_logit(fitted):
    model, columns, X, _ = fitted
    found = family_contributions(model, columns, X[:20])
    assert list(found) == ["before looking", "spectrum", "colour", "dct"]
    np.testing.assert_allclose(found.sum(axis=1), logit(model.predict_proba(X[:20])[:, 1]), atol=1e-6)


def test_the_family_that_decides_is_named_first(fitted):
    model, columns, X, y = fitted
    found = family_contributions(model, columns, X)
    assert ((found["colour"] > 0) == (y == 1)).all()
    row = int(np.flatnonzero(y == 1)[0])
    text = in_words(found.iloc[row])
    assert text.startswith("for a fake: colour (+")
    assert text.endswith(f"together {model.predict_proba(X[[row]])[0, 1]:.2f} for a fake")


def test_words_when_nothing_speaks():
    assert in_words(pd.Series({"before looking": 0.0, "dct": 0.01, "colour": -0.02})) == (
        "hardly either way: colour, dct; together 0.50 for a fake"
    )


def test_other_columns_are_refused(fitted):
    model, columns, X, _ = fitted
    with pytest.raises(ValueError, match="fitted to 4 columns, and 3 are named"):
        family_contributions(model, columns[:3], X[:, :3])


def test_bands_are_those_of_each_class():
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    fake = real.repeat(2, axis=1).repeat(2, axis=2)[:, :64, :64]
    X, labels = np.concatenate([real, fake]), np.repeat([0, 1], 6)
    bands = spectrum_bands(X, labels)
    assert list(bands.columns) == ["label", "channel", "ring", "frequency", "mean", "p05", "p25", "p50", "p75", "p95"]
    assert len(bands) == 2 * 3 * 182
    assert (bands["p05"] <= bands["p50"]).all()
    assert (bands["p50"] <= bands["p95"]).all()
    features = ForensicFeatures(families=["spectrum"])
    table = pd.DataFrame(features.transform(fake), columns=features.get_feature_names_out())
    here = bands.query("label == 1 and channel == 'Y' and ring == 100")
    assert here["mean"].item() == pytest.approx(table["spectrum/Y/azimuthal_100"].mean(), abs=1e-4)
    assert here["frequency"].item() == pytest.approx(100 / 256)
    # Doubled pixels lose their high frequencies.
    means = bands.query("channel == 'Y' and ring == 128").set_index("label")["mean"]
    assert means[1] < means[0] - 0.5


def test_bands_need_a_label_for_every_photograph():
    with pytest.raises(ValueError, match="2 photographs and 1 labels"):
        spectrum_bands(np.zeros((2, 64, 64, 3), np.uint8), np.array([1]))
