"""Which weights remain in the end, and that rows put aside choose them without being learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import swa_utils

from members.training import photographs as reading
from members.training.arithmetic import Arithmetic
from members.training.averages import BestEpoch, LastEpochs
from members.training.trainer import Trainer, put_aside
from tests.members.photographs import classifier, photographs

CPU = Arithmetic(torch.device("cpu"), torch.float32)


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


@pytest.mark.training
def test_rows_put_aside_are_never_learned_from_and_choose_the_epoch() -> None:
    X, y = photographs()
    model = classifier(epochs=9, validation_fraction=0.25, patience=2, learning_rate=0.02)
    torch.manual_seed(0)
    trainer = Trainer(model._new_network("none", 2, X.shape[1:3]), model._recipe(), CPU)
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


@pytest.mark.training
def test_rows_put_aside_are_seen_as_they_will_be_predicted() -> None:
    """A transformer made for crops takes nothing else, neither in prediction nor on the rows put aside."""
    options = {"backbone": "vit_tiny_patch16_224", "crop": 32, "validation_fraction": 0.25, "epochs": 1}
    model = classifier(**options).fit(*photographs(16, side=48))
    assert np.isfinite(model.history_[0]["validation_loss"])


@pytest.mark.training
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
