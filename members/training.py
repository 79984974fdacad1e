"""Fitting a photograph network: batches, schedule, optimiser, arithmetic. Knows no backbone and no scikit-learn."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from members.augment import Augmentation

Rows = npt.NDArray[np.intp]
Report = Callable[[float, str], None]  # fraction done in (0, 1], what is going on
EpochRecord = dict[str, float]

GRADIENT_NORM_LIMIT: Final = 1.0


class Photographs(Protocol):
    """What is asked of `X`: an ndarray has it, and so has any view that gathers rows on demand."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def dtype(self) -> Any: ...  # noqa: D102

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Rows, /) -> npt.NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Recipe:
    """How a network is fitted; `ImageClassifier` documents the fields."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    warmup_fraction: float
    average_last: int


@dataclass(frozen=True)
class Arithmetic:
    """Where a network computes and with which numbers."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, device: str, precision: str) -> Arithmetic:
        """Resolve "auto".

        The rule asks what the hardware can do and times nothing, so the same machine always computes the same. On a
        CPU without bfloat16 instructions torch emulates them: `tf_efficientnet_lite0` at 256 px, one thread of an
        AVX2 machine, trained 0.6 photographs a second in bfloat16 and 6.0 to 7.7 in float32 (both channels_last).
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError('device="cuda", but torch sees no CUDA device here; set device to "auto" or "cpu"')
        place = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
        if precision != "auto":
            return cls(place, getattr(torch, precision))
        return cls(place, _fast_cuda_dtype() if place.type == "cuda" else _fast_cpu_dtype())

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context in which the network is to be called."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def tensor(self, values: npt.NDArray[Any]) -> torch.Tensor:
        """Bring an array to the device. Read-only arrays are copied, since torch knows no read-only tensors."""
        return torch.from_numpy(np.require(values, requirements=["C", "W"])).to(self.device)


def _fast_cpu_dtype() -> torch.dtype:
    native = torch.cpu._is_avx512_bf16_supported()  # Cooper Lake, Sapphire Rapids, Zen 4 and later
    return torch.bfloat16 if native else torch.float32


def _fast_cuda_dtype() -> torch.dtype:
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def batches(order: Rows, size: int) -> list[Rows]:
    """Cut rows into nearly equal batches of about `size`, never of one row: BatchNorm has no variance to divide by."""
    count = max(1, min(math.ceil(len(order) / size), len(order) // 2))
    return np.array_split(order, count)


def one_cycle(step: int, steps: int, warmup_fraction: float) -> float:
    """Return the share of the peak learning rate at a step: up in a line, then down a cosine to nearly nothing."""
    warmup = round(warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split the parameters: matrices and kernels decay, norms and biases (one axis or none) do not."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


class Trainer:
    """Fits one network in place. Rows are read batch by batch; all randomness but the order of rows is torch's own."""

    def __init__(self, network: nn.Module, recipe: Recipe, augment: Augmentation, arithmetic: Arithmetic) -> None:
        self.network = network.to(arithmetic.device)
        self.recipe = recipe
        self.augment = augment
        self.arithmetic = arithmetic
        self.optimiser = torch.optim.AdamW(parameter_groups(network, recipe.weight_decay), lr=recipe.learning_rate)
        # float16 gradients underflow without scaling; for the other types the scaler does nothing.
        self.scaler = torch.amp.GradScaler(arithmetic.device.type, enabled=arithmetic.dtype == torch.float16)

    def fit(
        self, X: Photographs, targets: npt.NDArray[np.int64], shuffler: np.random.Generator, report: Report
    ) -> list[EpochRecord]:
        """Train for all epochs and leave the network with its final weights.

        Parameters
        ----------
        X : Photographs
            uint8 (n, height, width, 3).
        targets : int64 (n,)
            Class numbers from 0.
        shuffler : numpy.random.Generator
            Draws each epoch's order.
        report : callable
            Takes the fraction done and a short text, after every batch.

        Returns
        -------
        list of dict
            One per epoch: epoch, loss, accuracy, learning_rate, photographs_per_second, seconds.
        """
        recipe, history = self.recipe, []
        average = AveragedModel(self.network, use_buffers=True) if recipe.average_last > 1 else None
        for epoch in range(recipe.epochs):
            plan = batches(shuffler.permutation(len(targets)), recipe.batch_size)
            history.append(self._epoch(epoch, X, targets, plan, report))
            if average is not None and epoch >= recipe.epochs - recipe.average_last:
                average.update_parameters(self.network)
        if average is not None:
            self.network.load_state_dict(average.module.state_dict())
        return history

    def _epoch(
        self, epoch: int, X: Photographs, targets: npt.NDArray[np.int64], plan: list[Rows], report: Report
    ) -> EpochRecord:
        self.network.train()
        tally = Tally(epoch + 1, self.recipe.epochs)
        for done, rows in enumerate(plan):
            tally.learning_rate = self._set_learning_rate(epoch * len(plan) + done, self.recipe.epochs * len(plan))
            loss, right = self._step(X[rows], targets[rows])
            tally.add(len(rows), loss, right)
            report((epoch + (done + 1) / len(plan)) / self.recipe.epochs, tally.text())
        return tally.record()

    def _step(self, photographs: npt.NDArray[np.uint8], targets: npt.NDArray[np.int64]) -> tuple[float, int]:
        """Learn from one batch; return its mean loss and how many decisions were right."""
        pixels = self.augment(self.arithmetic.tensor(photographs))
        wanted = self.arithmetic.tensor(targets)
        with self.arithmetic.autocast():
            logits = self.network(pixels)
        loss = functional.cross_entropy(logits, wanted, label_smoothing=self.recipe.label_smoothing)
        self._descend(loss)
        return loss.item(), int((logits.argmax(1) == wanted).sum())

    def _descend(self, loss: torch.Tensor) -> None:
        self.optimiser.zero_grad()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM_LIMIT)
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def _set_learning_rate(self, step: int, steps: int) -> float:
        rate = self.recipe.learning_rate * one_cycle(step, steps, self.recipe.warmup_fraction)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return rate


class Tally:
    """Running figures of one epoch, on training batches as they were seen."""

    def __init__(self, epoch: int, epochs: int) -> None:
        self.epoch, self.epochs = epoch, epochs
        self.learning_rate = math.nan
        self._started = time.perf_counter()
        self._seen, self._loss, self._right = 0, 0.0, 0

    def add(self, rows: int, loss: float, right: int) -> None:
        """Count one batch."""
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss} in epoch {self.epoch}; lower learning_rate")
        self._seen += rows
        self._loss += rows * loss
        self._right += right

    def record(self) -> EpochRecord:
        """Return the epoch as plain data; `learning_rate` is that of the last batch."""
        seconds = time.perf_counter() - self._started
        return {
            "epoch": self.epoch,
            "loss": self._loss / self._seen,
            "accuracy": self._right / self._seen,
            "learning_rate": self.learning_rate,
            "photographs_per_second": self._seen / seconds,
            "seconds": seconds,
        }

    def text(self) -> str:
        """Return the line for a progress display."""
        now = self.record()
        speed = f"{now['photographs_per_second']:.3g} photographs/s"
        return f"epoch {self.epoch}/{self.epochs}, loss {now['loss']:.2f}, {speed}"


@torch.inference_mode()
def predict_logits(
    network: nn.Module, X: Photographs, batch_size: int, *, flip: bool, arithmetic: Arithmetic
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield float64 (rows, classes) for one batch after the other; with `flip` the mean over both mirror images."""
    network.to(arithmetic.device).eval()
    for start in range(0, len(X), batch_size):
        photographs = arithmetic.tensor(X[np.arange(start, min(start + batch_size, len(X)))])
        with arithmetic.autocast():
            logits = network(photographs).double()
            if flip:
                logits = (logits + network(photographs.flip(2)).double()) / 2
        yield logits.cpu().numpy()
