"""Any timm backbone as a scikit-learn classifier over photographs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from members.augment import AUGMENTATIONS, augmentation
from members.backbones import PhotographNetwork, build_network
from members.training import Arithmetic, EpochRecord, Photographs, Recipe, Report, Trainer, predict_logits

if TYPE_CHECKING:
    from typing_extensions import Self

_WEIGHTS_FILE = "model.safetensors"
_FACTS_FILE = "classifier.json"
_SECONDS_BETWEEN_REPORTS = 1.0


class ImageClassifier(ClassifierMixin, BaseEstimator):
    """A timm network, fine-tuned on photographs at their own size: nothing is ever resized or cropped.

    AdamW with one cycle of the learning rate; the final weights are those after the last epoch, since nothing held
    out is there to choose by. Photographs are read a batch at a time and may lie in read-only memory.

    Parameters
    ----------
    backbone : str
        A timm architecture, with or without a tag (`convnext_tiny.in12k_ft_in1k`).
    weights : str or Path
        "hub" (downloaded by timm), "packaged" (from a Python package, see `members.backbones.PACKAGED`), "none"
        (from scratch), or a `.safetensors` or state-dict file with timm's names.
    stem_stride : {None, 1}
        1 doubles the resolution of all feature maps and keeps the weights, at about four times the cost.
    epochs, batch_size : int
        Batches are nearly equal and never hold a single photograph.
    learning_rate : float
        The peak of the cycle.
    weight_decay : float
        Of AdamW, on all but norms and biases.
    label_smoothing : float
        At most 0.03; more blurs the probabilities.
    warmup_fraction : float
        Share of all steps over which the learning rate rises; then it falls along a cosine.
    average_last : int
        Average the weights after each of the last so many epochs; 1 keeps the last alone.
    augment : {"none", "flip", "light"}
        See `members.augment`.
    flip_tta : bool
        Predict with the mean of the logits of the photograph and its mirror image.
    precision : {"auto", "bfloat16", "float16", "float32"}
        "auto" takes what is fast here: bfloat16 where the hardware computes with it, float16 on older GPUs, else
        float32. The head always runs in float32.
    device : {"auto", "cpu", "cuda"}
        The number of CPU threads is the caller's to set.
    drop_rate : float
        Dropout before the head.
    random_state : int, RandomState or None
        Seeds weights, order, dropout and augmentation. Two fits with the same seed, on one CPU with the same number
        of threads, agree bit by bit; torch's and NumPy's global generators are left as they were.

    Attributes
    ----------
    classes_ : array (k,)
        Labels in the order of the columns of `predict_proba`.
    history_ : list of dict
        One per epoch: epoch, loss, accuracy (both on training batches), learning_rate, photographs_per_second,
        seconds.
    network_ : PhotographNetwork
        uint8 (n, height, width, 3) to logits.
    photograph_size_ : tuple[int, int]
        Height and width in pixels.
    """

    reads_rows_lazily: ClassVar[bool] = True
    """Of `X` only `len(X)`, `X.shape`, `X.dtype` and `X[batch of rows]` are used."""

    on_progress: Callable[[float, str], None] | None = None
    """If set on an instance, `fit` calls it about once a second with the fraction done and a short text."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [str],
        "weights": [str, Path],
        "stem_stride": [None, Options(Integral, {1})],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 0.03, closed="both")],
        "warmup_fraction": [Interval(Real, 0, 1, closed="left")],
        "average_last": [Interval(Integral, 1, None, closed="left")],
        "augment": [StrOptions(set(AUGMENTATIONS))],
        "flip_tta": ["boolean"],
        "precision": [StrOptions({"auto", "bfloat16", "float16", "float32"})],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
        "drop_rate": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        backbone: str = "tf_efficientnet_lite0",
        weights: str | Path = "hub",
        stem_stride: int | None = None,
        epochs: int = 5,
        batch_size: int = 16,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.01,
        warmup_fraction: float = 0.2,
        average_last: int = 1,
        augment: str = "flip",
        flip_tta: bool = True,
        precision: str = "auto",
        device: str = "auto",
        drop_rate: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.stem_stride = stem_stride
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.warmup_fraction = warmup_fraction
        self.average_last = average_last
        self.augment = augment
        self.flip_tta = flip_tta
        self.precision = precision
        self.device = device
        self.drop_rate = drop_rate
        self.random_state = random_state

    def fit(self, X: Photographs, y: npt.ArrayLike) -> Self:
        """Fine-tune the network.

        Parameters
        ----------
        X : uint8 (n, height, width, 3)
            RGB photographs, or a view that gathers rows on demand.
        y : array (n,)
            Labels of two classes or more.

        Raises
        ------
        ValueError
            If a parameter, `X` or `y` is not as described, or the weights cannot be had (`WeightsError`).
        FloatingPointError
            If the loss becomes infinite or not a number.
        """
        self._validate_params()  # type: ignore[no-untyped-call]
        _check_photographs(X)
        self.classes_, targets = _check_labels(y, len(X))
        self.photograph_size_ = (int(X.shape[1]), int(X.shape[2]))
        arithmetic = Arithmetic.choose(self.device, self.precision)
        seed = _seed(self.random_state)
        with _private_randomness(seed):
            self.network_ = self._new_network(self.weights)
            trainer = Trainer(self.network_, self._recipe(), augmentation(self.augment), arithmetic)
            self.history_: list[EpochRecord] = trainer.fit(
                X, targets, np.random.default_rng(seed), _at_most_every_second(self.on_progress)
            )
        return self

    def predict_proba(self, X: Photographs) -> npt.NDArray[np.float64]:
        """Return the probability of every class, float64 (n, k), for photographs of the size that was fitted."""
        check_is_fitted(self, "network_")
        _check_photographs(X)
        if tuple(X.shape[1:3]) != self.photograph_size_:
            raise ValueError(
                f"photographs are {X.shape[1]} x {X.shape[2]} pixels and the classifier was fitted on "
                f"{self.photograph_size_[0]} x {self.photograph_size_[1]}; it never resizes"
            )
        arithmetic = Arithmetic.choose(self.device, self.precision)
        parts = predict_logits(self.network_, X, self.batch_size, flip=self.flip_tta, arithmetic=arithmetic)
        logits = np.concatenate([np.empty((0, len(self.classes_))), *parts])
        probabilities: npt.NDArray[np.float64] = softmax(logits, axis=1)
        return probabilities

    def predict(self, X: Photographs) -> npt.NDArray[Any]:
        """Return the most probable label of every photograph; on a tie the later class, so that 0.5 is fake."""
        backwards = self.predict_proba(X)[:, ::-1].argmax(axis=1)
        labels: npt.NDArray[Any] = self.classes_[len(self.classes_) - 1 - backwards]
        return labels

    def save(self, folder: Path) -> None:
        """Write the fitted classifier into a folder as tensors and JSON; nothing in it can run."""
        check_is_fitted(self, "network_")
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: value.cpu().contiguous() for name, value in self.network_.state_dict().items()}
        safetensors.torch.save_file(state, folder / _WEIGHTS_FILE)
        parameters = self.get_params()  # type: ignore[no-untyped-call]
        facts = {
            "parameters": {name: _plain(value) for name, value in parameters.items()},
            "classes": self.classes_.tolist(),
            "photograph_size": self.photograph_size_,
            "history": self.history_,
        }
        (folder / _FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a classifier that `save` wrote. It needs no hub and no packaged weights."""
        facts = json.loads((folder / _FACTS_FILE).read_text(encoding="utf-8"))
        classifier = cls(**facts["parameters"])
        classifier.classes_ = np.asarray(facts["classes"])
        classifier.photograph_size_ = tuple(facts["photograph_size"])
        classifier.history_ = facts["history"]
        with _private_randomness(seed=0):
            classifier.network_ = classifier._new_network("none")
        classifier.network_.load_state_dict(safetensors.torch.load_file(folder / _WEIGHTS_FILE))
        return classifier

    def _new_network(self, weights: str | Path) -> PhotographNetwork:
        return build_network(
            self.backbone,
            weights,
            classes=len(self.classes_),
            size=self.photograph_size_,
            stem_stride=self.stem_stride,
            drop_rate=self.drop_rate,
        )

    def _recipe(self) -> Recipe:
        return Recipe(**{name: getattr(self, name) for name in Recipe.__dataclass_fields__})


def _check_photographs(X: Photographs) -> None:
    if X.dtype != np.uint8 or len(X.shape) != 4 or X.shape[3] != 3:
        raise ValueError(f"X must be uint8 (n, height, width, 3), not {X.dtype} {tuple(X.shape)}")


def _check_labels(y: npt.ArrayLike, rows: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the classes and every row's class number."""
    labels = np.asarray(y)
    if labels.shape != (rows,):
        raise ValueError(f"y must hold one label for each of the {rows} photographs, not shape {labels.shape}")
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, and all labels are {classes.tolist()}")
    return classes, targets.astype(np.int64)


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if random_state is None:  # check_random_state would draw from NumPy's global generator
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def _private_randomness(seed: int) -> Iterator[None]:
    """Seed torch's global generators for a while, and put them back as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _at_most_every_second(hook: Callable[[float, str], None] | None) -> Report:
    """Wrap a progress hook that may be None; the end is always told."""
    last = -_SECONDS_BETWEEN_REPORTS

    def report(fraction: float, text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if hook is not None and (fraction >= 1 or now - last >= _SECONDS_BETWEEN_REPORTS):
            last = now
            hook(fraction, text)

    return report


def _plain(value: Any) -> Any:
    """Return a parameter as JSON holds it; a generator's state is no part of a fitted classifier."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.random.RandomState):
        return None
    return str(value) if isinstance(value, Path) else value
