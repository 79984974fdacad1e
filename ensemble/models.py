"""Trained models as files without pickles: a model's own `save`, LightGBM's text, or skops for scikit-learn."""

from __future__ import annotations

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import skops.io
from numpy.typing import NDArray

_OWN = "class.json"
_LIGHTGBM = "lightgbm.txt"
_SKOPS = "model.skops"


def model_files(model: Any) -> tuple[dict[str, bytes], str]:
    """A fitted model's files by name, and a note when it cannot be saved (predictions are kept all the same)."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            save_model(model, folder)
        except Exception as error:  # a member of any package: whatever it raises, its predictions are not to be lost
            return {}, f"the model was not saved: {type(error).__name__}: {error}"
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }, ""


def save_model(model: Any, folder: Path) -> None:
    """Write a fitted classifier into a folder."""
    if hasattr(model, "save"):
        kind = type(model)
        (folder / _OWN).write_text(
            json.dumps({"use": f"{kind.__module__}.{kind.__qualname__}"}) + "\n", encoding="utf-8"
        )
        model.save(folder)
    elif isinstance(model, lightgbm.LGBMClassifier):
        (folder / _LIGHTGBM).write_text(model.booster_.model_to_string(num_iteration=-1), encoding="utf-8")
    else:
        skops.io.dump(model, folder / _SKOPS)


def load_model(folder: Path) -> Any:
    """Read a classifier back. Only types that skops itself trusts, or LightGBM's, are loaded; no code is executed."""
    if (folder / _OWN).exists():
        module, _, name = json.loads((folder / _OWN).read_text(encoding="utf-8"))["use"].rpartition(".")
        return getattr(importlib.import_module(module), name).load(folder)
    if (folder / _LIGHTGBM).exists():
        return BoosterClassifier(lightgbm.Booster(model_file=folder / _LIGHTGBM))
    return skops.io.load(folder / _SKOPS, trusted=[])


class BoosterClassifier:
    """A LightGBM booster read from text, as a classifier of two classes."""

    def __init__(self, booster: lightgbm.Booster) -> None:
        self.booster = booster
        self.classes_ = np.array([0, 1])

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, 2)."""
        fake = np.asarray(self.booster.predict(X), dtype=np.float64)
        return np.stack([1 - fake, fake], axis=1)
