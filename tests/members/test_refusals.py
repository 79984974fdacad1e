"""What ImageClassifier refuses, and what is left of it when a fit ends early."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from tests.members.photographs import classifier, photographs


def test_a_fit_that_fails_does_not_look_fitted() -> None:
    X, y = photographs(16)
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match="nor a file that exists"):
        model.set_params(weights="/none").fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict_proba(X)


def test_an_interrupted_fit_does_not_look_fitted() -> None:
    X, y = photographs(16)
    model = classifier()

    def interrupt(fraction: float, text: str) -> None:
        raise KeyboardInterrupt

    model.on_progress = interrupt
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict_proba(X)


def test_lists_and_missing_labels_are_told_in_a_sentence() -> None:
    X, y = photographs(16)
    with pytest.raises(ValueError, match=r"not a list; see numpy\.stack"):
        classifier().fit(list(X), y)
    with pytest.raises(ValueError, match=r"no label \(NaN\) for 1 photographs"):
        classifier().fit(X, np.where(np.arange(16) == 3, np.nan, y))
    with pytest.raises(ValueError, match="must have pixels"):
        classifier().fit(X[:, :0], y)


def test_too_few_pixels_are_told_in_a_sentence() -> None:
    X, y = photographs(16)
    with pytest.raises(ValueError, match=r"test_convnext is too deep for so few pixels: .* 8 x 8"):
        classifier(backbone="test_convnext", crop=8).fit(X, y)
