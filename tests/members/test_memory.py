"""Memory that runs short, photographs that stay on the device, and freed memory that is kept."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from members.training import photographs as reading
from members.training.arithmetic import Arithmetic
from members.training.heap import _glibc
from members.training.prediction import TorchForward
from members.training.trainer import Trainer
from tests import ROOT
from tests.members.photographs import classifier, photographs

CPU = Arithmetic(torch.device("cpu"), torch.float32)


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
    torch.manual_seed(0)
    trainer = Trainer(model._new_network("none", 2, (32, 32)), model._recipe(), CPU)
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
    trainer = Trainer(model._new_network("none", 2, (32, 32)), model._recipe(), CPU)
    sizes: list[int] = []
    trainer.network.register_forward_hook(lambda _network, inputs, _output: sizes.append(len(inputs[0])))
    trainer.parts = 8  # as sixteen photographs may have wanted
    trainer._step(torch.from_numpy(X), torch.from_numpy(y))
    assert sizes == [3, 2, 2, 2, 2, 2, 2]


def test_prediction_goes_on_with_halves() -> None:
    X, y = photographs(11)
    network = classifier(epochs=1).fit(X, y).network_
    whole, halved = (TorchForward(each, ["logits"], CPU)(X)["logits"] for each in (network, SmallMemory(network, 2)))
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


@pytest.mark.process
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
    root = ROOT
    run = subprocess.run([sys.executable, "-c", script], cwd=root, check=True, capture_output=True, text=True)
    kept, usual, given_back = map(int, run.stdout.split())
    assert usual > 1000
    assert kept < usual / 10
    assert given_back > 2**25
