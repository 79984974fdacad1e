"""Networks as ONNX graphs: the same numbers as torch, made once, and without torch afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from members.backbones import build_network
from members.backbones.enlarge import enlarged, interpolation
from members.embedding import FrozenEmbedding
from members.graphs import cache, choose, export, make
from members.graphs.session import read_graph
from tests.members.photographs import classifier, photographs

pytestmark = pytest.mark.training


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache._made.cache_clear()
    return tmp_path / "who-took-this-photo" / "graphs"


def embedding(**options: object) -> FrozenEmbedding:
    standard = {"backbone": "test_efficientnet", "weights": "none", "layers": ["blocks.0", "blocks.1"]}
    return FrozenEmbedding(**{**standard, "engine": "onnxruntime", **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"enlarge": 48},
        {"stem_stride": 1, "crop": 24, "statistics": ["mean", "log_covariance"]},
        pytest.param({"layers": "head"}, marks=pytest.mark.slow),
        pytest.param({"backbone": "test_convnext", "layers": ["stages.1"]}, marks=pytest.mark.slow),
        {"backbone": "test_vit", "layers": "head"},
        pytest.param({"backbone": "test_resnet", "layers": ["bn1", "layer1"]}, marks=pytest.mark.slow),
        pytest.param({"backbone": "high_pass_net", "layers": ["blocks.0", "blocks.3"]}, marks=pytest.mark.slow),
        pytest.param({"backbone": "npr_net", "layers": ["blocks.1"]}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_columns_are_those_of_torch_for_any_number_of_photographs(options: dict[str, object]) -> None:
    X, _ = photographs(5)
    found, expected = (embedding(**options, engine=engine).transform(X) for engine in ("onnxruntime", "torch"))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    one = embedding(**options, batch_size=1).transform(X)
    np.testing.assert_allclose(one, found, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_graph_is_made_once_and_again_when_weights_change(cache_folder: Path, tmp_path: Path) -> None:
    X, _ = photographs(2)
    weights = tmp_path / "weights.pt"
    torch.save(build_network("test_efficientnet", "none", classes=2, size=(32, 32)).backbone.state_dict(), weights)
    first = embedding(weights=weights).transform(X)
    graphs = {path: path.stat().st_mtime_ns for path in cache_folder.glob("*/graph.onnx")}
    assert len(graphs) == 1
    cache._made.cache_clear()
    np.testing.assert_array_equal(embedding(weights=weights).transform(X), first)
    assert {path: path.stat().st_mtime_ns for path in cache_folder.glob("*/graph.onnx")} == graphs
    torch.save(build_network("test_efficientnet", "none", classes=2, size=(32, 32)).backbone.state_dict(), weights)
    cache._made.cache_clear()
    assert not np.allclose(embedding(weights=weights).transform(X), first)


def test_a_damaged_graph_is_torch_once_and_is_made_again(cache_folder: Path) -> None:
    X, _ = photographs(2)
    expected = embedding().transform(X)
    [graph] = cache_folder.glob("*/graph.onnx")
    graph.write_bytes(b"x" * graph.stat().st_size)
    read_graph.cache_clear()
    with pytest.warns(UserWarning, match="cannot be read"):
        found = embedding(engine="auto", device="cpu").transform(X)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not graph.exists()
    np.testing.assert_array_equal(embedding().transform(X), expected)
    graph.write_bytes(b"cut short")
    cache._made.cache_clear()
    read_graph.cache_clear()
    np.testing.assert_array_equal(embedding().transform(X), expected)


def test_a_full_disk_is_torch_and_nothing_is_noted_for_ever(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    X, _ = photographs(2)
    with monkeypatch.context() as patch:
        patch.setattr(torch.onnx, "export", full)
        with pytest.warns(UserWarning, match="No space left on device"):
            embedding(engine="auto", device="cpu").transform(X)
        with pytest.raises(ValueError, match="No space left on device; engine: auto runs it on torch"):
            embedding().transform(X)
    cache._made.cache_clear()
    embedding().transform(X)
    assert len(list(cache_folder.glob("*/graph.onnx"))) == 1


def test_without_a_home_graphs_lie_in_a_folder_of_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = cache.cache_folder()
    assert folder == tmp_path / f"who-took-this-photo-{os.getuid()}" / "graphs"
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(cache.NoGraph, match="neither the user's cache nor"):
        cache.cache_folder()


@pytest.mark.process
def test_torch_is_not_needed_once_there_is_a_graph(tmp_path: Path) -> None:
    X, _ = photographs(3)
    np.save(tmp_path / "X.npy", X)
    script = (
        "import sys, numpy as np; from members.embedding import FrozenEmbedding\n"
        "network = FrozenEmbedding(backbone='test_efficientnet', weights='none', layers=['blocks.0', 'blocks.1'])\n"
        f"table = network.transform(np.load({str(tmp_path / 'X.npy')!r}))\n"
        "assert table.shape[1] == len(network.get_feature_names_out())\n"
        f"np.save({str(tmp_path / 'found.npy')!r}, table)\n"
        "assert not {'torch', 'timm'} & set(sys.modules), 'torch is loaded'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    np.testing.assert_allclose(
        np.load(tmp_path / "found.npy"), embedding(engine="torch").transform(X), rtol=1e-4, atol=1e-5
    )


@pytest.mark.process
@pytest.mark.parametrize(
    ("options", "message"),
    [("backbone='x', weights='none'", "timm knows"), ("backbone='test_efficientnet', weights='gone.pt'", "gone.pt")],
)
def test_what_is_wrong_is_said_by_the_process_that_has_torch(options: str, message: str) -> None:
    script = f"from members.embedding import FrozenEmbedding\nFrozenEmbedding({options}).check_parameters()"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert message in last
    assert last.split(":")[0].endswith(("ValueError", "WeightsError"))


def test_a_graph_that_differs_is_not_trusted_and_torch_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    X, _ = photographs(2)
    with pytest.warns(UserWarning, match="runs on torch, which is slower: the graph differs from torch by"):
        found = embedding(engine="auto", device="cpu").transform(X)
    np.testing.assert_array_equal(found, embedding(engine="torch", batch_size=2).transform(X))
    with pytest.raises(ValueError, match="test_efficientnet has no graph: the graph differs"):
        embedding().transform(X)


def test_what_cannot_be_exported_is_a_reason() -> None:
    class Drawn(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            if pixels.float().mean().item() > 3:  # depends on what it sees
                return pixels.float().mean((1, 2)) + 1
            return pixels.float().mean((1, 2))

    with pytest.raises(export.ExportError, match="Error"):
        export.graph_of(Drawn(), ["mean"], (16, 16))


def test_a_classifier_predicts_the_same() -> None:
    X, y = photographs(12)
    model = classifier(epochs=1, enlarge=40).fit(X, y)
    on_torch = model.predict_proba(X)
    np.testing.assert_allclose(model.set_params(engine="onnxruntime").predict_proba(X), on_torch, atol=1e-5)


@pytest.mark.parametrize(
    ("engine", "device", "precision", "graph"),
    [
        ("auto", "cpu", "float32", True),
        ("auto", "cpu", "auto", True),
        ("auto", "cpu", "bfloat16", False),
        ("auto", "cuda", "float32", False),
        ("torch", "cpu", "float32", False),
        ("onnxruntime", "auto", "float32", True),
    ],
)
def test_the_engine(engine: str, device: str, precision: str, graph: bool) -> None:
    assert choose.use_graph(engine, device, precision) == graph


def test_a_gpu_is_not_for_onnx_runtime() -> None:
    with pytest.raises(ValueError, match="computes on the CPU in float32, not on cuda"):
        choose.use_graph("onnxruntime", "cuda", "auto")
    for estimator in (embedding(precision="bfloat16"), classifier(engine="onnxruntime", precision="bfloat16")):
        with pytest.raises(ValueError, match="computes on the CPU in float32"):
            estimator.check_parameters()


def test_photographs_are_enlarged_as_torch_does_it() -> None:
    pixels = torch.rand(2, 3, 30, 40)
    size = enlarged((30, 40), 64)
    assert size == (48, 64) == enlarged((30, 40), 1.6)
    found = interpolation(30, 48) @ pixels @ interpolation(40, 64).T
    expected = functional.interpolate(pixels, size, mode="bicubic", antialias=True)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_names_say_how_much_is_enlarged_and_nothing_is_shrunk() -> None:
    X, _ = photographs(2)
    assert embedding(engine="torch", enlarge=48).get_feature_names_out()[0] == "test_efficientnet@48/blocks.0_mean_0000"
    with pytest.raises(ValueError, match="enlarge=16 would shrink photographs or crops of 32 x 32 pixels"):
        embedding(engine="torch", enlarge=16).transform(X)


@pytest.mark.parametrize(
    ("milliseconds", "fewest"),
    [((10, 10, 10, 10), 1), ((10, 5, 4.9, 4.9), 2), ((10, 8, 6, 4), 8), ((10, 9.8, 9.8, 9.8), 1), ((10, 8, 5, 7), 4)],
)
def test_fewest_photographs_at_once_that_are_fast(
    milliseconds: tuple[float, ...], fewest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what one photograph takes; what is faster by less than 3 % is not worth its memory."""
    clock, each = [0.0], dict(zip(make._AT_ONCE, milliseconds, strict=True))

    def graph(pixels: np.ndarray) -> None:
        clock[0] += len(pixels) * each[len(pixels)]

    monkeypatch.setattr(make, "read_graph", lambda path, threads: graph)
    monkeypatch.setattr(make, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    assert make._fastest(tmp_path / "graph.onnx", (32, 32)) == fewest
