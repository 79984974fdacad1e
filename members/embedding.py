"""A frozen backbone as a stateless transformer: photographs to embeddings, for a linear or SVM head."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions

from members.checks import check_photographs
from members.constraints import NETWORK_CONSTRAINTS
from members.crops import Size, check_crop, check_grid, size_of_view
from members.graphs.cache import GRAPH, NoGraph, Request, made, opened
from members.graphs.choose import use_graph
from members.graphs.session import threads_to_use
from members.packaged import check_weights
from members.photographs import Photographs
from members.pooling import COVARIANCE, Forward, Pooling
from members.statistics import STATISTICS
from members.training.heap import heap_kept

if TYPE_CHECKING:
    from typing import Self

    from sklearn.utils import Tags

_AT_ONCE = 16  # photographs on a GPU; on a CPU a few, whose maps stay in its caches


class FrozenEmbedding(TransformerMixin, BaseEstimator):
    """Features of photographs from a frozen network; nothing is learned, so all folds may share them.

    The weights must not have been trained on the photographs that are to be predicted.

    Parameters
    ----------
    backbone, weights, stem_stride, enlarge, crop, precision, device, engine
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
    batch_size : int or None
        Photographs computed at once; None takes as few as are fast on this machine.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from members.ridge import CalibratedRidge
    >>> embedding = FrozenEmbedding(
    ...     backbone="tf_efficientnet_lite2",
    ...     weights="packaged",
    ...     layers=["blocks.2", "blocks.3", "blocks.4"],
    ...     statistics=["mean", "log_covariance"],
    ... )
    >>> model = make_pipeline(embedding, CalibratedRidge(alpha=300))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NETWORK_CONSTRAINTS,
        "layers": [StrOptions({"head"}), list, tuple],
        "statistics": [list, tuple],
        "flip": ["boolean"],
        "batch_size": [None, Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        backbone: str = "tf_efficientnet_lite0",
        weights: str | Path = "hub",
        stem_stride: int | None = None,
        enlarge: float | None = None,
        crop: int | None = None,
        layers: str | Sequence[str] = "head",
        statistics: Sequence[str] = ("mean", "deviation"),
        flip: bool = True,
        batch_size: int | None = None,
        precision: str = "float32",
        device: str = "auto",
        engine: str = "auto",
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.stem_stride = stem_stride
        self.enlarge = enlarge
        self.crop = crop
        self.layers = layers
        self.statistics = statistics
        self.flip = flip
        self.batch_size = batch_size
        self.precision = precision
        self.device = device
        self.engine = engine

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
        with heap_kept():
            forward, at_once = self._forward((int(X.shape[1]), int(X.shape[2])))
            parts = list(self._pooling.columns(forward, X, self.batch_size or at_once))
        return np.concatenate(parts) if parts else np.empty((0, len(self.get_feature_names_out())), np.float32)

    def check_parameters(self) -> None:
        """Raise an error if a parameter is wrong, or the network or its weights are not to be had."""
        self.get_feature_names_out()

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:  # noqa: ARG002
        """Return the columns' names, as objects because scikit-learn's are."""
        self._check_parameters()
        widths = self._widths()
        blank = {
            name: np.zeros((1, width) if not name.endswith(COVARIANCE) else (1, width, width), np.float32)
            for name, width in widths.items()
        }
        network = self.backbone if self.enlarge is None else f"{self.backbone}@{self.enlarge:g}"
        parts = self._pooling.parts(blank)
        names = [f"{network}/{part}_{index:04d}" for part, values in parts for index in range(values.shape[1])]
        return np.array(names, dtype=object)

    def export(self, folder: Path, size: Size) -> dict[str, Any]:
        """Write the network as a graph for photographs of a size; return what `BundledEmbedding` needs beside it.

        Raises
        ------
        ValueError
            There is no such graph.
        """
        self._check_parameters()
        try:
            found = made(self._request(size_of_view(self.crop, size)))
        except NoGraph as reason:
            raise ValueError(f"{self.backbone} has no graph: {reason}") from None
        shutil.copyfile(found.path, folder / GRAPH)
        return {"reader": "embedding", "at_once": found.at_once, **asdict(self._pooling)}

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
        use_graph(self.engine, self.device, self.precision)
        unknown = [name for name in self.statistics if name not in STATISTICS]
        if unknown:
            raise ValueError(f"statistics holds {unknown[0]!r}; they are {', '.join(STATISTICS)}")

    @property
    def _pooling(self) -> Pooling:
        return Pooling(self.layers, self.statistics, self.flip, self.crop)

    def _forward(self, size: Size) -> tuple[Forward, int]:
        """Return what runs the network, and how many photographs it had best compute at once."""
        request = self._request(size_of_view(self.crop, size))
        if use_graph(self.engine, self.device, self.precision):
            try:
                return opened(request, threads_to_use())
            except NoGraph as reason:
                if self.engine == "onnxruntime":
                    raise ValueError(f"{self.backbone} has no graph: {reason}; engine: auto runs it on torch") from None
                warnings.warn(f"{self.backbone} runs on torch, which is slower: {reason}", stacklevel=3)
        from members.graphs.make import build_moments  # torch and timm take seconds, and half a gigabyte
        from members.training.arithmetic import Arithmetic
        from members.training.prediction import TorchForward

        moments, arithmetic = build_moments(request), Arithmetic.choose(self.device, self.precision)
        return TorchForward(moments, moments.names, arithmetic), _AT_ONCE if arithmetic.device.type == "cuda" else 4

    def _widths(self) -> dict[str, int]:
        """Return the channels or features of each output of the network."""
        request = self._request(None)
        if self.engine != "torch":
            with suppress(NoGraph):
                return made(request).widths
        from members.graphs.make import build_moments, widths_of

        return widths_of(build_moments(request))

    def _request(self, size: Size | None) -> Request:
        """Return the network for photographs of a size; for None what its columns' names depend on."""
        layers = self.layers if isinstance(self.layers, str) else tuple(self.layers)
        weights = str(self.weights)
        if size is None:
            check_weights(self.backbone, weights)
            known = weights in ("hub", "packaged")  # files of the user's are read, to see that they can be
            return Request(self.backbone, "none" if known else weights, self.stem_stride, None, layers)
        return Request(self.backbone, weights, self.stem_stride, self.enlarge, layers, size)
