"""Any timm backbone as a scikit-learn classifier over photographs."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from members import stored
from members.backbones import PhotographNetwork, build_network, check_network
from members.bundled.networks import LOGITS
from members.checks import check_labels, check_photographs
from members.classifier import PhotographClassifier
from members.constraints import NETWORK_CONSTRAINTS
from members.crops import Size, check_crop, check_grid, size_of_view
from members.graphs.cache import GRAPH
from members.graphs.choose import use_graph
from members.graphs.export import write_graph
from members.photographs import Photographs
from members.training.arithmetic import Arithmetic
from members.training.augment import AUGMENTATIONS
from members.training.heap import heap_kept
from members.training.history import EpochRecord, at_most_every_second
from members.training.prediction import choose_forward, predict_logits
from members.training.randomness import private_randomness, seed_of
from members.training.recipe import TrainingRecipe
from members.training.trainer import Trainer

if TYPE_CHECKING:
    from typing import Self


class ImageClassifier(PhotographClassifier):
    """A timm network, fine-tuned on photographs at their own size, or enlarged.

    AdamW with one cycle of the learning rate. The final weights are never chosen by rows that are to be predicted: they
    are the last, an average, or the best on some of the rows that `fit` was given. Photographs are read a batch at a
    time and may be in read-only memory.

    Parameters
    ----------
    backbone : str
        A timm architecture, with or without a tag (`convnext_tiny.in12k_ft_in1k`), or "npr_net" or "high_pass_net",
        small networks that train from scratch (`members.backbones.specialists`).
    weights : str or Path
        "hub" (downloaded by timm), "packaged" (from a Python package, see `members.backbones.PACKAGED`), "none"
        (from scratch), or a `.safetensors` or state-dict file with timm's names, of a network that has not seen
        the photographs that are to be predicted.
    stem_stride : {None, 1, 2}
        1 doubles the resolution of all feature maps of an EfficientNet, ResNet or RegNet, 2 that of a ConvNeXt, with
        the same weights; costs about four times as much.
    enlarge : float or None
        Pixels of the longer side to which photographs or crops are enlarged (bicubic); below 8 it is a factor.
    frozen_layers : int
        How many layers from the input on keep their initial weights and their norms' statistics: the stem is one, each
        stage another (3 of an EfficientNet are the stem and `blocks.0` and `blocks.1`). Faster; `members/README.md`
        has the effect on the score.
    crop : int or None
        Side in pixels, a multiple of 8. Each step then learns from a random crop of each photograph whose corner
        lies on JPEG's grid, and prediction averages the logits of an aligned grid of crops. None keeps photographs
        whole.
    epochs, batch_size : int
        Batches are nearly equal and never hold a single photograph. A batch that does not fit into a GPU's memory
        is cut in halves whose gradients are added.
    learning_rate : float
        Peak of the cycle, for the last layer.
    layer_decay : float
        Ratio of each layer's learning rate to that of the layer above it.
    weight_decay : float
        AdamW's, on all parameters but norms and biases.
    label_smoothing : float
        At most 0.03: more flattens the probabilities.
    warmup_fraction : float
        Share of all steps over which the learning rate rises; then it falls along a cosine.
    average_last : int
        Average the weights over the ends of this many last epochs; 1 uses the last weights alone.
    moving_average : float or None
        Decay per step of an exponential moving average of the weights; 0.99 looks back over a hundred steps.
    validation_fraction : float
        If not 0, this share of the rows given to `fit` is put aside, and the weights with the lowest loss on them are
        the final ones.
    patience : int
        With `validation_fraction`: stop after this many epochs without a better one.
    augment : {"none", "flip", "cut_out", "light", "heavy"}
        See `members.training.augment`.
    flip_tta : bool
        Predict with the mean of the logits of the photograph and its mirror image.
    precision : {"auto", "bfloat16", "float16", "float32"}
        "auto" is float32 on a CPU, and for predictions, so that two machines differ by rounding only; a fit on a GPU is
        in bfloat16 where the hardware computes with it, else in float16. A CPU with bfloat16 instructions (Intel's
        Cooper Lake and Sapphire Rapids, AMD's Zen 4, and later ones) predicts faster with "bfloat16". The head always
        runs in float32.
    device : {"auto", "cpu", "cuda"}
        The number of CPU threads is the caller's to set.
    engine : {"auto", "onnxruntime", "torch"}
        What predicts: "auto" is ONNX Runtime on a CPU in float32, more than twice as fast, for 256 photographs or
        more, and torch otherwise, or where the network cannot be exported. Both give the same to about 1e-6.
    torch_compile : bool
        Compile the training step with torch.compile, which takes a minute or more and needs a C compiler.
    drop_rate : float
        Dropout before the head.
    random_state : int, RandomState or None
        Seeds weights, order, dropout and augmentation. Two fits with the same seed, on one CPU with the same number
        of threads, are equal bit by bit; torch's and NumPy's global generators are left as they were.

    Attributes
    ----------
    classes_ : array (k,)
        Labels in the order of the columns of `predict_proba`.
    history_ : list of dict
        One per epoch: epoch, loss, accuracy (both on training batches), learning_rate, photographs_per_second,
        seconds; and validation_loss where rows were put aside.
    network_ : PhotographNetwork
        uint8 (n, height, width, 3) to logits.
    photograph_size_ : tuple[int, int]
        Height and width in pixels.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NETWORK_CONSTRAINTS,
        "frozen_layers": [Interval(Integral, 0, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "layer_decay": [Interval(Real, 0, 1, closed="right")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 0.03, closed="both")],
        "warmup_fraction": [Interval(Real, 0, 1, closed="left")],
        "average_last": [Interval(Integral, 1, None, closed="left")],
        "moving_average": [None, Interval(Real, 0, 1, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "augment": [StrOptions(set(AUGMENTATIONS))],
        "flip_tta": ["boolean"],
        "torch_compile": ["boolean"],
        "drop_rate": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        backbone: str = "tf_efficientnet_lite0",
        weights: str | Path = "hub",
        stem_stride: int | None = None,
        enlarge: float | None = None,
        frozen_layers: int = 0,
        crop: int | None = None,
        epochs: int = 5,
        batch_size: int = 16,
        learning_rate: float = 1e-3,
        layer_decay: float = 1.0,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.01,
        warmup_fraction: float = 0.2,
        average_last: int = 1,
        moving_average: float | None = None,
        validation_fraction: float = 0.0,
        patience: int = 3,
        augment: str = "flip",
        flip_tta: bool = True,
        precision: str = "auto",
        device: str = "auto",
        engine: str = "auto",
        torch_compile: bool = False,
        drop_rate: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.backbone, self.weights, self.stem_stride, self.enlarge = backbone, weights, stem_stride, enlarge
        self.frozen_layers, self.crop = frozen_layers, crop
        self.epochs, self.batch_size = epochs, batch_size
        self.learning_rate, self.layer_decay, self.weight_decay = learning_rate, layer_decay, weight_decay
        self.label_smoothing, self.warmup_fraction = label_smoothing, warmup_fraction
        self.average_last, self.moving_average = average_last, moving_average
        self.validation_fraction, self.patience = validation_fraction, patience
        self.augment, self.flip_tta = augment, flip_tta
        self.precision, self.device, self.engine, self.torch_compile = precision, device, engine, torch_compile
        self.drop_rate, self.random_state = drop_rate, random_state

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
            If a parameter, `X` or `y` is not as described, or the weights are not available (`WeightsError`).
        FloatingPointError
            If the loss becomes infinite or not a number.
        """
        self._forget()
        self._validate_params()  # type: ignore[no-untyped-call]
        check_photographs(X)
        classes, targets = check_labels(y, len(X))
        size = (int(X.shape[1]), int(X.shape[2]))
        check_crop(self.crop, size)
        recipe = self._recipe()
        recipe.check()
        arithmetic = Arithmetic.choose(self.device, self.precision)
        seed = seed_of(self.random_state)
        with private_randomness(seed, arithmetic.device), heap_kept():
            network = self._new_network(self.weights, len(classes), size)
            network.freeze(self.frozen_layers)
            history = Trainer(network, recipe, arithmetic).fit(X, targets, seed, at_most_every_second(self.on_progress))
        self._set_fitted(network, classes, size, history)
        return self

    def check_parameters(self) -> None:
        """Raise a ValueError for parameters that are wrong whatever the photographs are."""
        self._validate_params()  # type: ignore[no-untyped-call]
        check_grid(self.crop)
        self._recipe().check()
        use_graph(self.engine, self.device, self.precision)
        check_network(self.backbone, self.weights, stem_stride=self.stem_stride, frozen_layers=self.frozen_layers)

    def predict_proba(self, X: Photographs) -> npt.NDArray[np.float64]:
        """Return the probability of every class, float64 (n, k), for photographs of the size that was fitted."""
        check_is_fitted(self, "network_")
        check_photographs(X)
        if tuple(X.shape[1:3]) != self.photograph_size_:
            raise ValueError(
                f"photographs are {X.shape[1]} x {X.shape[2]} pixels and the classifier was fitted on "
                f"{self.photograph_size_[0]} x {self.photograph_size_[1]}; it never resizes"
            )
        with heap_kept():
            size = size_of_view(self.crop, self.photograph_size_)
            precision = "float32" if self.precision == "auto" else self.precision  # so that a bundle answers alike
            engine = (self.engine, self.device, precision)
            forward, at_once = choose_forward(self.network_, size, engine, len(X), self.batch_size)
            parts = predict_logits(forward, X, at_once, flip=self.flip_tta, crop=self.crop)
            logits = np.concatenate([np.empty((0, len(self.classes_))), *parts])
        probabilities: npt.NDArray[np.float64] = softmax(logits, axis=1)
        return probabilities

    def export(self, folder: Path, size: Size) -> dict[str, Any]:
        """Write the fitted network as a graph; return the settings of `members.bundled.networks.BundledClassifier`."""
        check_is_fitted(self, "network_")
        write_graph(self.network_, [LOGITS], size_of_view(self.crop, size), folder / GRAPH)
        return {"reader": "classifier", "graphs": [GRAPH], "flip": self.flip_tta, "crop": self.crop}

    def save(self, folder: Path) -> None:
        """Write the fitted classifier into a folder as tensors and JSON; nothing in it can run."""
        check_is_fitted(self, "network_")
        facts = {
            "parameters": self.get_params(),  # type: ignore[no-untyped-call]
            "classes": self.classes_.tolist(),
            "photograph_size": self.photograph_size_,
            "history": self.history_,
        }
        stored.write(Path(folder), self.network_.state_dict(), facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a classifier that `save` wrote. It needs no hub and no packaged weights."""
        state, facts = stored.read(Path(folder))
        classifier = cls(**facts["parameters"])
        classes, size = np.asarray(facts["classes"]), (facts["photograph_size"][0], facts["photograph_size"][1])
        with private_randomness(seed=0):
            network = classifier._new_network("none", len(classes), size)
        network.load_state_dict(state)
        classifier._set_fitted(network, classes, size, facts["history"])
        return classifier

    def _set_fitted(
        self, network: PhotographNetwork, classes: npt.NDArray[Any], size: tuple[int, int], history: list[EpochRecord]
    ) -> None:
        self.network_ = network
        self.classes_ = classes
        self.photograph_size_ = size
        self.history_ = history

    def _new_network(self, weights: str | Path, classes: int, size: tuple[int, int]) -> PhotographNetwork:
        return build_network(
            self.backbone,
            weights,
            classes=classes,
            size=size_of_view(self.crop, size),
            stem_stride=self.stem_stride,
            enlarge=self.enlarge,
            drop_rate=self.drop_rate,
        )

    def _recipe(self) -> TrainingRecipe:
        return TrainingRecipe(**{name: getattr(self, name) for name in TrainingRecipe.__dataclass_fields__})
