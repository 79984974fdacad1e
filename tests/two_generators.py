"""A competition with the fakes of two generators, and features that key on their own traces or on a shared one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression

from tests.competitions import write_rows

SIZE = 48
PERIODS = {"a": 4, "b": 3}  # pixels of the grating that each generator leaves; the first one blurs too
SHARED = 12.0  # grey levels by which the blue of every fake is lower


def generator_of(number: int) -> str:
    """Every second photograph is real; the fakes are of the two generators in turn."""
    return "" if number % 2 == 0 else "ab"[number // 2 % 2]


def photograph(number: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([number, 11])
    noise = rng.normal(128, 30, (SIZE, SIZE, 3))
    generator = generator_of(number)
    if generator == "a":
        noise = uniform_filter(noise, (5, 5, 0))
    if generator:
        wave = np.sin(2 * np.pi * np.arange(SIZE) / PERIODS[generator])
        noise += 20 * wave[None, :, None]
        noise[..., 2] -= SHARED
    return np.clip(noise, 0, 255).astype(np.uint8)


def write_planted(folder: Path, train: int = 120, test: int = 6) -> Path:
    for split, numbers in (("train", range(train)), ("test", range(train, train + test))):
        (folder / split).mkdir(parents=True)
        for number in numbers:
            Image.fromarray(photograph(number)).save(folder / split / f"{number:05d}.png")
    write_rows(folder / "train.csv", ["name", "target"], [[f"{n:05d}.png", n % 2] for n in range(train)])
    write_rows(folder / "submit.csv", ["name", "pred"], [[f"{n:05d}.png", 0] for n in range(train, train + test)])
    return folder


class OwnTraces(TransformerMixin, BaseEstimator):
    """Whether each generator's grating is there."""

    def fit(self, X: Any, y: Any = None) -> OwnTraces:
        return self

    def transform(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = X.astype(np.float64).mean(axis=(1, 3))
        waves = [np.exp(2j * np.pi * np.arange(SIZE) / period) for period in PERIODS.values()]
        return np.stack([np.abs(rows @ wave) / SIZE > 5 for wave in waves], axis=1).astype(np.float32)


class SharedTrace(TransformerMixin, BaseEstimator):
    """How blue a photograph is."""

    def fit(self, X: Any, y: Any = None) -> SharedTrace:
        return self

    def transform(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        return X.astype(np.float32).mean(axis=(1, 2))[:, 2:]


def member(name: str, features: str, model: str = "sklearn.linear_model.LogisticRegression") -> str:
    steps = f"[[scale, {{use: sklearn.preprocessing.StandardScaler}}], [model, {{use: {model}}}]]"
    return f"""
  - name: {name}
    features: {{use: tests.two_generators.{features}}}
    model: {{use: sklearn.pipeline.Pipeline, steps: {steps}}}
"""


class FailsToday(LogisticRegression):
    """Cannot be fitted as long as the environment says so."""

    def fit(self, X: Any, y: Any) -> FailsToday:
        if "FAILS_TODAY" in os.environ:
            raise RuntimeError("not today")
        return super().fit(X, y)
