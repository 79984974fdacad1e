"""A frozen backbone as a stateless transformer: photographs to embeddings, for a linear or SVM head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions

from members.backbones import PhotographNetwork, build_network
from members.backbones.maps import STATISTICS, layer_maps
from members.checks import check_photographs
from members.constraints import NETWORK_CONSTRAINTS
from members.training.arithmetic import Arithmetic
from members.training.crops import check_crop, check_grid, size_of_view
from members.training.heap import heap_kept
from members.training.photographs import Photographs
from members.training.prediction import in_halves, views
from members.training.randomness import private_randomness

if TYPE_CHECKING:
    from typing import Self

    from sklearn.utils import Tags

_ANY_SIZE = (224, 224)  # the columns are the same for photographs of every size, and all networks take this one


class FrozenEmbedding(TransformerMixin, BaseEstimator):
    """Features of photographs from a network with fixed weights; nothing is learned, so all folds may share them.

    The weights must not have been trained on the photographs that are to be predicted.

    Parameters
    ----------
    backbone, weights, stem_stride, crop, precision, device
        As in `members.cnn.ImageClassifier`. With `crop`, the mean over an aligned grid of crops. The default precision
        is float32 on a GPU too, so that all machines of a cluster compute the same columns.
    layers : "head" or sequence of str
        "head": the input of the network's own classifier. Names: the maps of these submodules (`blocks.3` of an
        EfficientNet, `layer2` of a ResNet), reduced to `statistics`. Early maps hold traces, late ones hold faces.
    statistics : sequence of {"mean", "deviation", "covariance", "log_covariance"}
        Statistics of a layer's channels over the photograph: their means, their standard deviations, the covariance of
        each pair (upper triangle; Gram matrices as in Liu et al., Gram-Net, 2020), or the logarithm of the covariance
        matrix, which suits linear models far better. A layer of c channels gives c, c, c (c + 1) / 2 and c (c + 1) / 2
        columns.
    flip : bool
        Average over the photograph and its mirror image.
    batch_size : int
        Photographs computed at once.

    Examples
    --------
    >>> from sklearn.calibration import CalibratedClassifierCV
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> embedding = FrozenEmbedding(
    ...     backbone="tf_efficientnet_lite2",
    ...     weights="packaged",
    ...     layers=["blocks.2", "blocks.3", "blocks.4"],
    ...     statistics=["mean", "log_covariance"],
    ... )
    >>> head = CalibratedClassifierCV(RidgeClassifier(alpha=300), ensemble=False)  # a member gives probabilities
    >>> model = make_pipeline(embedding, StandardScaler(), head)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NETWORK_CONSTRAINTS,
        "layers": [StrOptions({"head"}), list, tuple],
        "statistics": [list, tuple],
        "flip": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        backbone: str = "tf_efficientnet_lite0",
        weights: str | Path = "hub",
        stem_stride: int | None = None,
        crop: int | None = None,
        layers: str | Sequence[str] = "head",
        statistics: Sequence[str] = ("mean", "deviation"),
        flip: bool = True,
        batch_size: int = 16,
        precision: str = "float32",
        device: str = "auto",
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.stem_stride = stem_stride
        self.crop = crop
        self.layers = layers
        self.statistics = statistics
        self.flip = flip
        self.batch_size = batch_size
        self.precision = precision
        self.device = device

    def fit(self, X: Photographs, y: object = None) -> Self:  # noqa: ARG002
        """Check the parameters and learn nothing."""
        self._check(X)
        return self

    def transform(self, X: Photographs) -> npt.NDArray[np.float32]:
        """Return float32 (n, columns) for uint8 (n, height, width, 3); a row depends on its photograph alone.

        Raises
        ------
        ValueError
            If a parameter or `X` is not as described, or the weights are not available (`WeightsError`).
        """
        self._check(X)
        network = self._network((int(X.shape[1]), int(X.shape[2])))
        arithmetic = Arithmetic.choose(self.device, self.precision)
        with heap_kept():
            parts = list(self._embeddings(network, X, arithmetic))
        return np.concatenate(parts) if parts else np.empty((0, len(self.get_feature_names_out())), np.float32)

    def check_parameters(self) -> None:
        """Raise an error if a parameter is wrong, or the network or its weights are not to be had."""
        self.get_feature_names_out()

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:  # noqa: ARG002
        """Return the columns' names, as objects because scikit-learn's are."""
        self._check_parameters()
        network = self._network(_ANY_SIZE)
        blank = torch.zeros((1, *size_of_view(self.crop, _ANY_SIZE), 3), dtype=torch.uint8)
        with torch.inference_mode():
            parts = self._parts(network.eval(), blank)
        names = [
            f"{self.backbone}/{part}_{index:04d}" for part, values in parts.items() for index in range(values.shape[1])
        ]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[no-untyped-call]
        tags.requires_fit = False
        return tags

    def _check(self, X: Photographs) -> None:
        self._check_parameters()
        check_photographs(X)
        check_crop(self.crop, (int(X.shape[1]), int(X.shape[2])))

    def _check_parameters(self) -> None:
        self._validate_params()  # type: ignore[no-untyped-call]
        check_grid(self.crop)
        if not self.layers or not self.statistics:
            raise ValueError("layers and statistics must each name something to keep")
        unknown = [name for name in self.statistics if name not in STATISTICS]
        if unknown:
            raise ValueError(f"statistics holds {unknown[0]!r}; they are {', '.join(STATISTICS)}")

    @torch.inference_mode()
    def _embeddings(
        self, network: PhotographNetwork, X: Photographs, arithmetic: Arithmetic
    ) -> Iterator[npt.NDArray[np.float32]]:
        network.to(arithmetic.device).eval()

        def columns(view: torch.Tensor) -> torch.Tensor:
            return torch.cat(list(self._parts(network, view).values()), dim=1)

        for start in range(0, len(X), self.batch_size):
            photographs = arithmetic.tensor(X[np.arange(start, min(start + self.batch_size, len(X)))])
            with arithmetic.autocast():
                seen = [in_halves(columns, view) for view in views(photographs, flip=self.flip, crop=self.crop)]
            yield torch.stack(seen).mean(0).cpu().numpy()

    def _parts(self, network: PhotographNetwork, photographs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return float32 (n, columns) for every part of an embedding, by name."""
        pixels, backbone = network.normalise(photographs), network.backbone
        if isinstance(self.layers, str):
            return {"head": network.head(backbone.forward_features(pixels), pre_logits=True)}
        maps = layer_maps(backbone, pixels, self.layers)
        with torch.autocast(photographs.device.type, enabled=False):  # half precision ruins covariances
            return {
                f"{layer}_{name}": STATISTICS[name](maps[layer]) for layer in self.layers for name in self.statistics
            }

    def _network(self, size: tuple[int, int]) -> PhotographNetwork:
        """Build the network; fresh weights ("none") are the same in every process."""
        with private_randomness(seed=0):
            return build_network(
                self.backbone,
                self.weights,
                classes=0,
                size=size_of_view(self.crop, size),
                stem_stride=self.stem_stride,
            )
