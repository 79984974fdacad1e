"""How networks are fitted: batches, crops, rates, averages, and memory that runs short."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import swa_utils

from members.backbones import build_network
from members.training import history
from members.training import photographs as reading
from members.training.arithmetic import Arithmetic
from members.training.augment import AUGMENTATIONS, JPEG, Sometimes, ThereAndBack, augmentation
from members.training.averages import BestEpoch, LastEpochs
from members.training.crops import GRID, crop_grid, random_crops
from members.training.heap import _glibc
from members.training.optimiser import one_cycle, parameter_groups
from members.training.prediction import predict_logits, views
from members.training.trainer import Trainer, batches, put_aside
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


# Frozen layers


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


# Crops


@given(
    height=st.integers(8, 300),
    width=st.integers(8, 300),
    crop=st.sampled_from([8, 64, 96, 128, 192]),
    seed=st.integers(0),
)
def test_a_grid_of_crops_is_aligned_and_covers_the_photograph(height: int, width: int, crop: int, seed: int) -> None:
    if crop > min(height, width):
        return
    seen = np.zeros((height, width), dtype=int)
    corners = crop_grid((height, width), crop)
    for top, left in corners:
        assert top % GRID == left % GRID == 0
        assert top + crop <= height
        assert left + crop <= width
        seen[top : top + crop, left : left + crop] += 1
    reach = [(side - crop) // GRID * GRID + crop for side in (height, width)]
    assert seen[: reach[0], : reach[1]].all()
    assert all(side - end < GRID for side, end in zip((height, width), reach, strict=True))
    assert len(set(corners)) == len(corners)


def test_four_crops_of_192_cover_256() -> None:
    assert crop_grid((256, 256), 192) == [(0, 0), (0, 64), (64, 0), (64, 64)]
    assert crop_grid((256, 256), 256) == [(0, 0)]


def test_random_crops_are_aligned_pieces_and_reach_every_corner() -> None:
    torch.manual_seed(0)
    positions = torch.arange(40 * 48, dtype=torch.int32).view(1, 40, 48, 1).expand(200, 40, 48, 3)
    pieces = random_crops(positions, 32)
    assert pieces.shape == (200, 32, 32, 3)
    corners = {divmod(int(piece[0, 0, 0]), 48) for piece in pieces}
    assert corners == {(top, left) for top in (0, 8) for left in (0, 8, 16)}
    assert all(
        torch.equal(p, positions[0, t : t + 32, left : left + 32])
        for p in pieces
        for t, left in [divmod(int(p[0, 0, 0]), 48)]
    )


def test_a_view_is_seen_from_all_sides() -> None:
    pixels = torch.arange(16 * 16 * 3).view(1, 16, 16, 3)
    assert [view.shape[1] for view in views(pixels, flip=True, crop=None)] == [16, 16]
    assert [view.shape[1] for view in views(pixels, flip=True, crop=8)] == [8] * 8
    whole, mirrored = views(pixels, flip=True, crop=None)
    assert torch.equal(mirrored, whole.flip(2))


def test_a_crop_learns_and_predicts_the_mean_of_its_grid() -> None:
    X, y = photographs(48, side=48)
    model = classifier(crop=32, flip_tta=False).fit(X, y)
    together = model.predict_proba(X[:3])
    network, corners = model.network_, crop_grid((48, 48), 32)
    assert len(corners) == 4
    with torch.inference_mode():
        each = [network(torch.from_numpy(X[:3, t : t + 32, left : left + 32].copy())) for t, left in corners]
    np.testing.assert_allclose(together, torch.stack(each).double().mean(0).softmax(1).numpy(), rtol=1e-6)


def test_a_crop_larger_than_the_photographs_is_named() -> None:
    with pytest.raises(ValueError, match="crop=64 is larger than the photographs, which are 32 x 32"):
        classifier(crop=64).fit(*photographs(8))


# Augmentation


@pytest.mark.parametrize("strength", AUGMENTATIONS)
def test_augmentation_keeps_shape_and_type_and_its_input(strength: str) -> None:
    torch.manual_seed(0)
    X = torch.from_numpy(photographs(32)[0])
    before = X.clone()
    altered = augmentation(strength)(X)
    assert altered.shape == X.shape
    assert altered.dtype == torch.uint8
    assert torch.equal(X, before)


def test_light_leaves_most_pixels() -> None:
    torch.manual_seed(0)
    X = torch.from_numpy(photographs(64)[0])
    altered = augmentation("light")(X)
    unlike = [not (torch.equal(a, b) or torch.equal(a, b.flip(1))) for a, b in zip(altered, X, strict=True)]
    assert 0 < sum(unlike) < 32  # about one in five is blurred or compressed, the others at most mirrored


def test_every_photograph_has_its_own_draw() -> None:
    torch.manual_seed(0)
    same = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8).expand(64, -1, -1, -1)
    for alter in (JPEG((40, 95)), ThereAndBack((0.6, 1.4))):
        altered = Sometimes(0.5, alter)(same)
        distinct = {photograph.numpy().tobytes() for photograph in altered}
        assert 5 < len(distinct) < 45
        assert 16 < sum(torch.equal(photograph, same[0]) for photograph in altered) < 48


# Which weights remain


def test_the_best_epoch_is_gone_back_to_and_patience_ends() -> None:
    network, best = nn.Linear(1, 1), BestEpoch(patience=2)
    stopped = []
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 2.0, 0.5]):
        nn.init.constant_(network.weight, epoch)
        stopped.append(best.after_epoch(network, 0, loss))
        if stopped[-1]:
            break
    best.finish(network)
    assert stopped == [False, False, False, True]
    assert network.weight.item() == 1


def test_rows_are_put_aside_by_class() -> None:
    targets = np.arange(40) % 2
    learned, aside = put_aside(targets, 0.25, seed=3)
    assert sorted([*learned, *aside]) == list(range(40))
    assert (len(aside), targets[aside].sum()) == (10, 5)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.01 does not leave both sides enough"):
        put_aside(targets, 0.01, seed=3)


def test_rows_put_aside_are_never_learned_from_and_choose_the_epoch() -> None:
    X, y = photographs()
    model = classifier(epochs=9, validation_fraction=0.25, patience=2, learning_rate=0.02)
    model.classes_, model.photograph_size_ = np.array([0, 1]), X.shape[1:3]
    torch.manual_seed(0)
    trainer = Trainer(model._new_network("none"), model._recipe(), CPU)
    learned, aside = put_aside(y, 0.25, seed=3)
    seen: dict[bool, set[int]] = {True: set(), False: set()}

    class Watched:
        shape, dtype = X.shape, X.dtype

        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, rows: np.ndarray) -> np.ndarray:
            seen[trainer.network.training].update(rows.tolist())
            return X[rows]

    history = trainer.fit(Watched(), y, 3, lambda *_: None)
    assert seen == {True: set(learned.tolist()), False: set(aside.tolist())}
    loss = trainer._validation_loss(reading.reader(X, CPU), y, aside)
    assert loss == pytest.approx(min(record["validation_loss"] for record in history))


def test_a_loss_that_is_never_a_number_leaves_no_best_epoch() -> None:
    best, network = BestEpoch(patience=5), nn.Linear(1, 1)
    best.after_epoch(network, 0, float("nan"))
    with pytest.raises(FloatingPointError, match="never a finite number"):
        best.finish(network)


def test_counts_are_averaged_on_a_gpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There torch would take fused kernels, which divide no integers; here it is told that the CPU has them."""
    monkeypatch.setattr(swa_utils, "_get_foreach_kernels_supported_devices", lambda: ["cpu"])
    network = nn.BatchNorm1d(2)
    average = LastEpochs(network, 3)
    for count in (2, 4, 6):
        network.num_batches_tracked.fill_(count)
        nn.init.constant_(network.weight, count)
        average.after_epoch(network, 0, None)
    average.finish(network)
    assert (network.num_batches_tracked.item(), network.weight.tolist()) == (4, [4.0, 4.0])


def test_rows_put_aside_are_seen_as_they_will_be_predicted() -> None:
    """A transformer made for crops takes nothing else, neither in prediction nor on the rows put aside."""
    options = {"backbone": "vit_tiny_patch16_224", "crop": 32, "validation_fraction": 0.25, "epochs": 1}
    model = classifier(**options).fit(*photographs(16, side=48))
    assert np.isfinite(model.history_[0]["validation_loss"])


def test_a_moving_average_lags_behind() -> None:
    X, y = photographs()
    last, average = (classifier(moving_average=decay).fit(X, y).network_.state_dict() for decay in (None, 0.9))
    fresh = classifier(epochs=1, learning_rate=1e-12).fit(X, y).network_.state_dict()
    name = "backbone.conv_stem.weight"
    assert 0 < (average[name] - fresh[name]).norm() < (last[name] - fresh[name]).norm()


@pytest.mark.parametrize(
    "options",
    [{"average_last": 2, "moving_average": 0.9}, {"moving_average": 0.9, "validation_fraction": 0.2}],
    ids=str,
)
def test_two_ways_to_the_final_weights_are_one_too_many(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="set one of them"):
        classifier(**options).fit(*photographs(8))


def test_more_epochs_cannot_be_averaged_than_there_are() -> None:
    with pytest.raises(ValueError, match="average_last=3 is more than the 2 epochs"):
        classifier(average_last=3).fit(*photographs(8))


# Memory


class SmallMemory(nn.Module):
    """Runs out of memory on more than `room` photographs, as a GPU would."""

    def __init__(self, network: nn.Module, room: int) -> None:
        super().__init__()
        self.network, self.room, self.refused = network, room, 0

    def forward(self, photographs: torch.Tensor) -> torch.Tensor:
        if len(photographs) > self.room:
            self.refused += 1
            raise torch.OutOfMemoryError("no room")
        logits: torch.Tensor = self.network(photographs)
        return logits


def trained_with(room: int) -> tuple[Trainer, SmallMemory]:
    """Two steps of a network without BatchNorm, in a memory with room for some photographs."""
    X, y = photographs(32)
    model = classifier(backbone="test_vit", epochs=1, batch_size=16, drop_rate=0.0)
    model.classes_, model.photograph_size_ = np.array([0, 1]), (32, 32)
    torch.manual_seed(0)
    trainer = Trainer(model._new_network("none"), model._recipe(), CPU)
    trainer.forward = memory = SmallMemory(trainer.network, room)
    trainer.fit(X, y.astype(np.int64), seed=0, report=lambda fraction, text: None)
    return trainer, memory


def test_a_batch_that_does_not_fit_is_halved_and_learns_the_same() -> None:
    roomy, _ = trained_with(room=16)
    narrow, memory = trained_with(room=5)
    assert (roomy.parts, narrow.parts, memory.refused) == (1, 4, 2)  # and it is not tried again in the second step
    for a, b in zip(roomy.network.parameters(), narrow.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=2e-4)  # AdamW divides by gradients near zero


def test_a_photograph_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        trained_with(room=1)


def test_a_smaller_batch_is_not_cut_into_single_photographs() -> None:
    X, y = photographs(15)
    model = classifier(epochs=1)
    model.classes_, model.photograph_size_ = np.array([0, 1]), (32, 32)
    trainer = Trainer(model._new_network("none"), model._recipe(), CPU)
    sizes: list[int] = []
    trainer.network.register_forward_hook(lambda _network, inputs, _output: sizes.append(len(inputs[0])))
    trainer.parts = 8  # as sixteen photographs may have wanted
    trainer._step(torch.from_numpy(X), torch.from_numpy(y))
    assert sizes == [3, 2, 2, 2, 2, 2, 2]


def test_prediction_goes_on_with_halves() -> None:
    X, y = photographs(11)
    network = classifier(epochs=1).fit(X, y).network_
    options: dict[str, Any] = {"flip": True, "crop": None, "arithmetic": CPU}
    whole = np.concatenate(list(predict_logits(network, X, 11, **options)))
    halved = np.concatenate(list(predict_logits(SmallMemory(network, 2), X, 11, **options)))
    np.testing.assert_allclose(halved, whole, rtol=1e-4, atol=1e-6)


def test_photographs_that_fit_onto_the_device_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = photographs(600)
    rows = np.array([599, 0, 257])
    for free, stays in ((None, False), (X.nbytes, False), (3 * X.nbytes, True)):
        monkeypatch.setattr(Arithmetic, "free_bytes", lambda self, free=free: free)
        source = X.copy()
        read = reading.reader(source, CPU)
        source[:] = 0
        assert np.array_equal(read(rows).numpy(), X[rows]) == stays


@pytest.mark.skipif(_glibc() is None, reason="the C library is not glibc")
@pytest.mark.parametrize("end", ["pass", "raise KeyError"])
def test_freed_memory_is_kept_inside_and_given_back_after(end: str) -> None:
    script = (
        "import contextlib, numpy as np, resource\n"
        "from members.training.heap import heap_kept\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(20): np.ones(2**23)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "def resident(): return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "with contextlib.suppress(KeyError), heap_kept():\n"
        f"    np.ones(2**23)\n    kept = faults(); inside = resident()\n    {end}\n"
        "print(kept, faults(), inside - resident())\n"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", script], cwd=root, check=True, capture_output=True, text=True)
    kept, usual, given_back = map(int, run.stdout.split())
    assert usual > 1000
    assert kept < usual / 10
    assert given_back > 2**25


def test_auto_precision_asks_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    for native, wanted in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        assert Arithmetic.choose("cpu", "auto").dtype == wanted


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
