"""How networks are fitted: batches, rates, frozen layers, precision, progress."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from members.backbones import build_network
from members.training import history
from members.training.arithmetic import Arithmetic
from members.training.optimiser import one_cycle, parameter_groups
from members.training.trainer import Trainer, batches
from tests.members.photographs import classifier, photographs

CPU = Arithmetic(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(("rows", "size"), [(n, b) for n in range(2, 40) for b in (2, 3, 8, 16)])
def test_no_batch_holds_a_single_photograph(rows: int, size: int) -> None:
    plan = batches(np.arange(rows), size)
    assert np.array_equal(np.concatenate(plan), np.arange(rows))
    assert min(map(len, plan)) >= 2
    assert max(map(len, plan)) <= max(size, 3)


def test_the_learning_rate_rises_in_a_line_and_falls_to_nothing() -> None:
    shares = [one_cycle(step, 100, 0.2) for step in range(100)]
    np.testing.assert_allclose(shares[:20], np.arange(1, 21) / 20)
    assert shares[20] == 1.0
    assert all(a > b for a, b in pairwise(shares[20:]))
    assert 0 < shares[-1] < 1e-3
    assert one_cycle(0, 1, 0.9) == 1.0


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_convnext", "test_vit", "npr_net", "high_pass_net"])
def test_norms_and_biases_do_not_decay_and_early_layers_learn_less(backbone: str) -> None:
    network = classifier(backbone=backbone, epochs=1).fit(*photographs(8)).network_.backbone
    groups = parameter_groups(network, 0.05, layer_decay=0.5)
    placed = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(placed) == sorted(id(parameter) for parameter in network.parameters())
    for group in groups:
        assert all(parameter.ndim > 1 or group["weight_decay"] == 0 for parameter in group["params"])
    scale = {id(parameter): group["lr_scale"] for group in groups for parameter in group["params"]}
    first, last = network.get_submodule(network.pretrained_cfg["first_conv"]).weight, network.get_classifier().weight
    assert scale[id(last)] == 1.0
    assert scale[id(first)] <= 0.25
    assert {group["lr_scale"] for group in parameter_groups(network, 0.05, layer_decay=1.0)} == {1.0}


@pytest.mark.parametrize(
    ("backbone", "frozen"),
    [
        ("test_efficientnet", ("conv_stem", "bn1", "blocks.0.")),
        ("test_convnext", ("stem", "stages.0.")),
        ("test_vit", ("cls_token", "pos_embed", "patch_embed", "blocks.0.")),
        ("npr_net", ("stem", "blocks.0.")),
        ("high_pass_net", ("blocks.0.", "blocks.1.")),
    ],
    ids=str,
)
def test_frozen_layers_stay_as_they_came_and_all_others_learn(backbone: str, frozen: tuple[str, ...]) -> None:
    X, y = photographs(12)
    model = classifier(backbone=backbone, epochs=1, learning_rate=0.01, frozen_layers=2)
    torch.manual_seed(0)
    network = build_network(backbone, "none", classes=2, size=X.shape[1:3])
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    network.freeze(2)
    Trainer(network, model._recipe(), CPU).fit(X, y, 0, lambda *_: None)
    for name, value in network.backbone.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith(frozen), name
    inside = [module for name, module in network.backbone.named_modules() if name.startswith(frozen)]
    assert not any(module.training for module in inside)  # dropout and stochastic depth too


@pytest.mark.parametrize("average", [{"average_last": 2}, {"moving_average": 0.5}], ids=str)
def test_an_average_leaves_frozen_layers_alone(average: dict[str, Any]) -> None:
    X, y = photographs(12)
    first, long = (classifier(frozen_layers=1, epochs=e, **a).fit(X, y) for e, a in ((1, {}), (3, average)))
    for name, value in first.network_.backbone.bn1.state_dict().items():
        assert torch.equal(value, long.network_.backbone.bn1.state_dict()[name]), name


def test_frozen_layers_are_saved_with_the_rest_and_read_as_first_weights(tmp_path: Path) -> None:
    X, y = photographs(12)
    model = classifier(frozen_layers=1).fit(X, y)
    model.save(tmp_path)
    assert np.array_equal(type(model).load(tmp_path).predict_proba(X), model.predict_proba(X))
    again = classifier(weights=tmp_path / "model.safetensors", frozen_layers=3, random_state=1).fit(X, y)
    learned = "blocks.1.0.conv_exp.weight"  # by the first classifier; frozen in the second
    assert torch.equal(*(m.network_.backbone.get_parameter(learned) for m in (model, again)))


def test_the_head_cannot_be_frozen() -> None:
    with pytest.raises(ValueError, match=r"9 layers are to be frozen, and this backbone has \d below its head"):
        classifier(frozen_layers=9).fit(*photographs(8))


def test_auto_precision_is_float32_on_every_cpu() -> None:
    """With bfloat16 instructions or without, so that two machines compute the same."""
    assert Arithmetic.choose("cpu", "auto").dtype == torch.float32
    assert Arithmetic.choose("cpu", "bfloat16").dtype == torch.bfloat16


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_precision_on_a_gpu_is_what_its_hardware_has(
    monkeypatch: pytest.MonkeyPatch, native: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert Arithmetic.choose("auto", "auto") == Arithmetic(torch.device("cuda"), dtype)


def test_auto_and_float32_train_the_same_network_on_a_cpu() -> None:
    X, y = photographs(16)
    automatic, single = (classifier(precision=precision).fit(X, y) for precision in ("auto", "float32"))
    assert np.array_equal(automatic.predict_proba(X), single.predict_proba(X))


def test_progress_is_not_told_more_than_once_a_second() -> None:
    seen: list[float] = []
    report = history.at_most_every_second(lambda fraction, text: seen.append(fraction))
    for done in range(1, 101):
        report(done / 100, "")
    assert seen == [0.01, 1.0]


@pytest.mark.slow
def test_a_compiled_network_learns_the_same() -> None:
    X, y = photographs(32)
    plain, compiled = (classifier(epochs=1, torch_compile=wanted).fit(X, y) for wanted in (False, True))
    np.testing.assert_allclose(plain.predict_proba(X), compiled.predict_proba(X), atol=0.02)
