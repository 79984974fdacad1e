"""SeedAverage: copies that differ in their seed alone, averaged in logits, saved without pickles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from members.seeds import SeedAverage
from tests.members.photographs import classifier, photographs


def average(**options: Any) -> SeedAverage:
    return SeedAverage(classifier(epochs=1, random_state=None), **{"seeds": 2, "random_state": 0, **options})


@pytest.mark.training
def test_it_averages_the_logits_of_unlike_copies() -> None:
    X, y = photographs(24)
    model = average().fit(X, y)
    first, second = (copy.predict_proba(X) for copy in model.estimators_)
    assert not np.allclose(first, second)
    logits = [np.log(p[:, 1] / p[:, 0]) for p in (first, second, model.predict_proba(X))]
    np.testing.assert_allclose(logits[2], (logits[0] + logits[1]) / 2, rtol=1e-6)
    assert np.array_equal(model.predict_proba(X), clone(model).fit(X, y).predict_proba(X))


def test_history_and_progress_tell_of_every_copy() -> None:
    X, y = photographs(16)
    seen: list[tuple[float, str]] = []
    model = average(seeds=3)
    model.on_progress = lambda fraction, text: seen.append((fraction, text))
    model.fit(X, y)
    assert [record["seed"] for record in model.history_] == [1, 2, 3]
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert seen[-1][0] == pytest.approx(1)
    assert seen[-1][1].startswith("seed 3/3, epoch 1/1")


def test_save_and_load_agree_in_every_bit(tmp_path: Path) -> None:
    X, y = photographs(16)
    model = average().fit(X, y)
    model.save(tmp_path)
    loaded = SeedAverage.load(tmp_path)
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.history_ == model.history_
    mine, theirs = (dict(m.get_params(), estimator=None) for m in (model, loaded))
    assert theirs == mine
    assert np.array_equal(loaded.classes_, model.classes_)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".safetensors"}


def test_a_fit_that_fails_does_not_look_fitted() -> None:
    X, y = photographs(16)
    average = SeedAverage(classifier(weights="/none"), seeds=2)
    with pytest.raises(ValueError, match="nor a file that exists"):
        average.fit(X, y)
    with pytest.raises(NotFittedError):
        average.predict_proba(X)
