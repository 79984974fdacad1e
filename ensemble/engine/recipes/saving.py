"""Trained models as files without pickles: a model's own `save`, LightGBM's text, or skops for scikit-learn."""

from __future__ import annotations

import importlib
import sys
import tempfile
import threading
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ensemble.core.storage.files import Location, folder_content, local_copy

if TYPE_CHECKING:
    from lightgbm import Booster

LIGHTGBM = "lightgbm.txt"
SKOPS = "model.skops"
_LIBRARIES = {"builtins", "collections", "lightgbm", "numpy", "scipy", "sklearn", "torch", "xgboost", "catboost"}
_JSON = {"xgboost": ("XGBClassifier", "xgboost.json"), "catboost": ("CatBoostClassifier", "catboost.json")}
# The only types beyond skops' own list that are loaded, whatever a file asks for. Each was looked at: all hold numbers,
# settings or fitted estimators, and none runs, imports or opens anything when its state is set. Compiled trees trust
# the arrays that they are given, as they do when they are fitted: a model is read from its own store, whose fold.json
# notes the sha256 of every file.
_TRUSTED = [
    "collections.OrderedDict",
    "lightgbm.basic.Booster",  # its state is the text that lightgbm.txt has, too
    "lightgbm.sklearn.LGBMClassifier",
    "numpy.dtype",
    "numpy.mean",
    *(
        f"sklearn.{name}"
        for name in (
            "calibration._CalibratedClassifier",
            "calibration._SigmoidCalibration",
            "ensemble._hist_gradient_boosting.predictor.TreePredictor",
            "feature_selection._univariate_selection.f_classif",
            "gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
            "gaussian_process.kernels.ConstantKernel",
            "gaussian_process.kernels.Product",
            "gaussian_process.kernels.RBF",
            "impute._iterative.IterativeImputer",
            "impute._iterative._ImputerTriplet",
            "metrics._classification.balanced_accuracy_score",
            "metrics._dist_metrics.EuclideanDistance64",
            "metrics._scorer._CurveScorer",
            "metrics._scorer._PassthroughScorer",
            "metrics._scorer._Scorer",
            "model_selection._split.StratifiedKFold",
            "neighbors._kd_tree.KDTree",
            "neural_network._stochastic_optimizers.AdamOptimizer",
            "neural_network._stochastic_optimizers.SGDOptimizer",
            "tree._tree.Tree",
            "utils._bunch.Bunch",
            "utils._metadata_requests.MetadataRequest",
            "utils._metadata_requests.MethodMetadataRequest",
        )
    ),
]


def model_files(model: Any) -> tuple[dict[str, bytes], str]:
    """Return a fitted model's files by name, and a note where it cannot be saved: its predictions still count."""
    try:
        with tempfile.TemporaryDirectory() as temporary:
            save_model(model, Path(temporary))
            return folder_content(Path(temporary)), ""
    except Exception as error:  # of a member of any package, or a full disk: its predictions are not to be lost
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return {}, f"the model was not saved, so robustness and predictions of new photographs lack it: {reason}"


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
    elif file := _json_file(model):
        _save_json(model, folder / file)
    elif type(model).__name__ == "Pipeline" and (file := _json_file(model.steps[-1][1])):
        _save_json(model.steps[-1][1], folder / file)
        _dump(model[:-1], folder)
    else:
        _dump(model, folder)


def _save_json(model: Any, file: Path) -> None:
    model.save_model(str(file), **({"format": "json"} if file.name.startswith("catboost") else {}))


def _dump(model: Any, folder: Path) -> None:
    skops = _skops()
    skops.io.dump(model, folder / SKOPS)
    untrusted = sorted(set(skops.io.get_untrusted_types(file=folder / SKOPS)) - set(_TRUSTED))
    if untrusted:
        own = [name for name in untrusted if name.partition(".")[0] not in _LIBRARIES]
        remedy = f"; give {own[0]} a save and a load" if own else ""
        raise ValueError(f"it holds {', '.join(untrusted)}, which is not trusted on loading{remedy}")


def _json_file(model: Any) -> str:
    """Return the file that a model of XGBoost or CatBoost is kept in, in its own JSON; empty for other models."""
    for library, (name, file) in _JSON.items():
        module = sys.modules.get(library)  # is loaded if the model is one of its own
        if module is not None and type(model) is getattr(module, name):  # a class of its own may predict otherwise
            return file
    return ""


def _skops() -> ModuleType:
    """Import skops, but not torch, which would cost each worker seconds.

    skops imports all of scikit-learn to list its estimators, and with it scikit-learn's wrapper of torch. Where that
    raises an ImportError, it is passed over.
    """
    finder = _NoTorchInThisThread()
    sys.meta_path.insert(0, finder)
    try:
        import skops.io
    finally:
        sys.meta_path.remove(finder)
    return skops


class _NoTorchInThisThread(MetaPathFinder):
    """Finds no torch for the thread that made it; other threads may be importing it."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "torch" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("torch is not needed here", name=name)


def _is_lightgbm(model: Any) -> bool:
    """Return whether a model is LightGBM's classifier, and no class of its own, which may predict otherwise."""
    lightgbm = sys.modules.get("lightgbm")
    return lightgbm is not None and type(model) is lightgbm.LGBMClassifier


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
    booster = _load_json(folder)
    front = _skops().io.load(folder / SKOPS, trusted=_TRUSTED) if (folder / SKOPS).exists() else None
    if booster is None:
        return kind.load(folder) if front is None else front
    if front is None:
        return booster
    from sklearn.pipeline import Pipeline

    return Pipeline([*front.steps, ("model", booster)])


def _load_json(folder: Path) -> Any:
    for library, (name, file) in _JSON.items():
        if (folder / file).exists():
            model = getattr(importlib.import_module(library), name)()
            model.load_model(str(folder / file), **({"format": "json"} if library == "catboost" else {}))
            return model
    return None


class BoosterClassifier:
    """A LightGBM booster read from text, as a classifier of two classes."""

    def __init__(self, booster: Booster) -> None:
        self.booster_ = booster
        self.classes_ = np.array([0, 1])

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, 2)."""
        fake = np.asarray(self.booster_.predict(X), dtype=np.float64)
        return np.stack([1 - fake, fake], axis=1)
