"""One classifier, fitted with several seeds and averaged."""

from __future__ import annotations

import json
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.base import clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from members.bundled.networks import SMALLEST_PROBABILITY
from members.classifier import PhotographClassifier
from members.cnn import ImageClassifier
from members.crops import Size
from members.training.history import EpochRecord, Report
from members.training.randomness import seed_of

if TYPE_CHECKING:
    from typing import Self

_FACTS_FILE = "seeds.json"


class SeedAverage(PhotographClassifier):
    """Fits copies of a classifier that differ in their seed alone, and averages their logits.

    Parameters
    ----------
    estimator : ImageClassifier
        The classifier to copy; its own `random_state` is replaced.
    seeds : int
        Number of copies.
    random_state : int, RandomState or None
        The copies' seeds are drawn from it.

    Attributes
    ----------
    classes_ : array (k,)
    estimators_ : list
        The fitted copies.
    history_ : list of dict
        The copies' records one after the other, each with `seed`, the number of the copy from 1.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [ImageClassifier],
        "seeds": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: ImageClassifier,
        *,
        seeds: int = 3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.seeds = seeds
        self.random_state = random_state

    def fit(self, X: Any, y: npt.ArrayLike) -> Self:
        """Fit the copies one after the other, on the same photographs uint8 (n, height, width, 3)."""
        self._forget()
        self._validate_params()  # type: ignore[no-untyped-call]
        drawn = np.random.default_rng(seed_of(self.random_state)).choice(2**31 - 1, self.seeds, replace=False)
        copies = []
        for number, seed in enumerate(drawn.tolist()):
            copy = clone(self.estimator).set_params(random_state=seed)
            copy.on_progress = self._progress_of(number)
            copies.append(copy.fit(X, y))
            copy.on_progress = None
        self.estimators_ = copies
        self.classes_ = self.estimators_[0].classes_
        self.history_ = _histories(self.estimators_)
        return self

    def check_parameters(self) -> None:
        """Raise a ValueError for parameters that are wrong whatever the photographs are."""
        self._validate_params()  # type: ignore[no-untyped-call]
        self.estimator.check_parameters()

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the normalised geometric mean of the copies' probabilities, float64 (n, k)."""
        check_is_fitted(self, "estimators_")
        logits = [np.log(np.clip(copy.predict_proba(X), SMALLEST_PROBABILITY, 1)) for copy in self.estimators_]
        probabilities: npt.NDArray[np.float64] = softmax(np.mean(logits, axis=0), axis=1)
        return probabilities

    def save(self, folder: Path) -> None:
        """Write every copy into a folder of its own, as tensors and JSON; nothing in it can run."""
        check_is_fitted(self, "estimators_")
        folder.mkdir(parents=True, exist_ok=True)
        for number, copy in enumerate(self.estimators_, 1):
            copy.save(folder / str(number))
        seeds = (self.random_state, self.estimator.random_state)
        facts = {
            "seeds": len(self.estimators_),
            "random_states": [int(seed) if isinstance(seed, Integral) else None for seed in seeds],
        }
        (folder / _FACTS_FILE).write_text(json.dumps(facts) + "\n", encoding="utf-8")

    def export(self, folder: Path, size: Size) -> dict[str, Any]:
        """Write every copy's network as a graph; return what `members.bundled.networks.BundledClassifier` needs."""
        check_is_fitted(self, "estimators_")
        graphs = []
        for number, copy in enumerate(self.estimators_, 1):
            settings = copy.export(folder, size)
            graphs.append(f"{number}.onnx")
            (folder / settings["graphs"][0]).rename(folder / graphs[-1])
        return {**settings, "graphs": graphs}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a classifier that `save` wrote."""
        facts = json.loads((folder / _FACTS_FILE).read_text(encoding="utf-8"))
        copies = [ImageClassifier.load(folder / str(number)) for number in range(1, facts["seeds"] + 1)]
        own, copied = facts["random_states"]
        average = cls(clone(copies[0]).set_params(random_state=copied), seeds=facts["seeds"], random_state=own)
        average.estimators_ = copies
        average.classes_ = copies[0].classes_
        average.history_ = _histories(copies)
        return average

    def _progress_of(self, number: int) -> Report | None:
        """Return a hook for one copy that reports the progress of all."""
        hook = self.on_progress
        if hook is None:
            return None
        return lambda fraction, text: hook((number + fraction) / self.seeds, f"seed {number + 1}/{self.seeds}, {text}")


def _histories(copies: list[ImageClassifier]) -> list[EpochRecord]:
    return [{"seed": number, **record} for number, copy in enumerate(copies, 1) for record in copy.history_]
