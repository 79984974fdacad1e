"""Trained models as files without pickles: a model's own `save`, LightGBM's text, or skops for scikit-learn."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ensemble.core.storage.files import Location, local_copy

if TYPE_CHECKING:
    from lightgbm import Booster

LIGHTGBM = "lightgbm.txt"
SKOPS = "model.skops"
# The only types beyond skops' own list that are loaded, whatever a file asks for: plain holders of numbers and of a
# fitted estimator inside scikit-learn's own CalibratedClassifierCV.
_TRUSTED = ["sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration"]


def model_files(model: Any) -> tuple[dict[str, bytes], str]:
    """Return a fitted model's files by name, and a note where it cannot be saved: its predictions still count."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            save_model(model, folder)
        except Exception as error:  # a member of any package: whatever it raises, its predictions are not to be lost
            return {}, f"the model was not saved: {type(error).__name__}: {error}"
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }, ""


def model_of_files(files: dict[str, bytes], kind: Any) -> Any:
    """Return the classifier of which `model_files` returned these files; `kind` is that of `load_model`."""
    with tempfile.TemporaryDirectory() as temporary:
        for name, content in files.items():
            path = Path(temporary) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return load_model(Path(temporary), kind)


def save_model(model: Any, folder: Path) -> None:
    """Write a fitted classifier into a folder.

    Raises
    ------
    ValueError
        The model holds types that we do not trust skops to load again.
    """
    if hasattr(model, "save"):
        model.save(folder)
    elif _is_lightgbm(model):
        (folder / LIGHTGBM).write_text(model.booster_.model_to_string(num_iteration=-1), encoding="utf-8")
    else:
        skops = _skops()
        skops.io.dump(model, folder / SKOPS)
        untrusted = sorted(set(skops.io.get_untrusted_types(file=folder / SKOPS)) - set(_TRUSTED))
        if untrusted:
            raise ValueError(
                f"it holds {', '.join(untrusted)}, which is not trusted on loading; give the class a save and a load"
            )


def _skops() -> ModuleType:
    """Import skops, but not torch, which would cost each worker seconds.

    skops imports all of scikit-learn to list its estimators, and with it scikit-learn's wrapper of torch. Where that
    raises an ImportError, it is passed over.
    """
    absent = not {"torch", "skops.io"} & sys.modules.keys()
    if absent:
        sys.modules["torch"] = None  # type: ignore[assignment]  # so that importing it raises an ImportError
    try:
        import skops.io
    finally:
        if absent:
            del sys.modules["torch"]
    return skops


def _is_lightgbm(model: Any) -> bool:
    """Return whether a model is LightGBM's classifier; its module is loaded then."""
    lightgbm = sys.modules.get("lightgbm")
    return lightgbm is not None and isinstance(model, lightgbm.LGBMClassifier)


def load_model(folder: Location, kind: Any) -> Any:
    """Read a classifier back, wherever its folder lies.

    Parameters
    ----------
    kind : class
        The class that the member's recipe names; its own `load(folder)` is called if it has one. Nothing in the
        folder decides what is imported, and no file in it is executed.
    """
    with local_copy(folder) as local:
        return _load(local, kind)


def _load(folder: Path, kind: Any) -> Any:
    if (folder / LIGHTGBM).exists():
        import lightgbm

        return BoosterClassifier(lightgbm.Booster(model_file=folder / LIGHTGBM))
    if (folder / SKOPS).exists():
        return _skops().io.load(folder / SKOPS, trusted=_TRUSTED)
    return kind.load(folder)


class BoosterClassifier:
    """A LightGBM booster read from text, as a classifier of two classes."""

    def __init__(self, booster: Booster) -> None:
        self.booster_ = booster
        self.classes_ = np.array([0, 1])

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, 2)."""
        fake = np.asarray(self.booster_.predict(X), dtype=np.float64)
        return np.stack([1 - fake, fake], axis=1)
