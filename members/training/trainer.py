"""Fitting one network in place: epochs, batches, steps."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

from members.backbones import PhotographNetwork
from members.photographs import Photographs, Rows
from members.training.arithmetic import Arithmetic
from members.training.augment import augmentation, random_crops
from members.training.averages import BestEpoch, FinalWeights, LastEpochs, MovingAverage
from members.training.history import EpochRecord, Report, Tally
from members.training.optimiser import one_cycle, parameter_groups, set_learning_rate
from members.training.photographs import Reader, reader
from members.training.prediction import mean_logits
from members.training.recipe import TrainingRecipe

Targets = npt.NDArray[np.int64]

GRADIENT_NORM_LIMIT: Final = 1.0


def batches(order: Rows, size: int) -> list[Rows]:
    """Cut rows into nearly equal batches of about `size`, never of one row: BatchNorm has no variance to divide by."""
    count = max(1, min(math.ceil(len(order) / size), len(order) // 2))
    return np.array_split(order, count)


def put_aside(targets: Targets, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Split the training rows, stratified by class, into rows to learn from and rows that choose the epoch."""
    rows = np.arange(len(targets))
    if fraction == 0:
        return rows, rows[:0]
    try:
        learned, chosen = train_test_split(rows, test_size=fraction, stratify=targets, random_state=seed)
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={fraction} does not leave both sides enough photographs: {error}"
        ) from None
    return np.sort(learned), np.sort(chosen)


class Trainer:
    """Fits one network in place. Rows are read batch by batch; all randomness but the order of rows is torch's own."""

    def __init__(self, network: PhotographNetwork, recipe: TrainingRecipe, arithmetic: Arithmetic) -> None:
        self.network = network.to(arithmetic.device)
        self.forward: Any = torch.compile(network) if recipe.torch_compile else network
        self.recipe = recipe
        self.arithmetic = arithmetic
        self.augment = augmentation(recipe.augment)
        self.parts = 1  # into which a batch is cut, so that it fits into the memory of the device
        groups = parameter_groups(network.backbone, recipe.weight_decay, recipe.layer_decay)
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
        # float16 gradients underflow without scaling; for the other types the scaler does nothing.
        self.scaler = torch.amp.GradScaler(arithmetic.device.type, enabled=arithmetic.dtype == torch.float16)
        self.final_weights = self._final_weights()

    def fit(self, X: Photographs, targets: Targets, seed: int, report: Report) -> list[EpochRecord]:
        """Train for all epochs and leave the network with its final weights.

        Parameters
        ----------
        X : Photographs
            uint8 (n, height, width, 3).
        targets : int64 (n,)
            Class numbers from 0.
        seed : int
            Of the order of the rows, and of which are put aside.
        report : callable
            Takes the fraction done and a short text, after every batch.

        Returns
        -------
        list of dict
            One per epoch, see `members.training.history`; with `validation_loss` if rows were put aside.
        """
        shuffler, history = np.random.default_rng(seed), []
        learned, aside = put_aside(targets, self.recipe.validation_fraction, seed)
        read = reader(X, self.arithmetic)
        for epoch in range(self.recipe.epochs):
            plan = batches(shuffler.permutation(learned), self.recipe.batch_size)
            record = self._epoch(epoch, read, targets, plan, report)
            if len(aside):
                record["validation_loss"] = self._validation_loss(read, targets, aside)
            history.append(record)
            epochs_left = self.recipe.epochs - epoch - 1
            is_enough = self.final_weights.after_epoch(self.network, epochs_left, record.get("validation_loss"))
            if is_enough and epochs_left:
                report(1.0, f"stopped after epoch {epoch + 1}: the loss on rows put aside rose")
                break
        self.final_weights.finish(self.network)
        return history

    def _final_weights(self) -> FinalWeights:
        recipe = self.recipe
        if recipe.validation_fraction > 0:
            return BestEpoch(recipe.patience)
        if recipe.moving_average is not None:
            return MovingAverage(self.network, recipe.moving_average)
        return LastEpochs(self.network, recipe.average_last) if recipe.average_last > 1 else FinalWeights()

    def _epoch(self, epoch: int, read: Reader, targets: Targets, plan: list[Rows], report: Report) -> EpochRecord:
        self.network.train()
        tally = Tally(epoch + 1, self.recipe.epochs)
        for done, rows in enumerate(plan):
            step, steps = epoch * len(plan) + done, self.recipe.epochs * len(plan)
            tally.learning_rate = self.recipe.learning_rate * one_cycle(step, steps, self.recipe.warmup_fraction)
            set_learning_rate(self.optimiser, tally.learning_rate)
            loss, right = self._step(self._views(read(rows)), self.arithmetic.tensor(targets[rows]))
            self.final_weights.after_step(self.network)
            tally.add(len(rows), loss, right)
            report((epoch + (done + 1) / len(plan)) / self.recipe.epochs, tally.text())
        return tally.record()

    def _views(self, photographs: torch.Tensor) -> torch.Tensor:
        """Return the crops and augmentations of a batch of photographs for one step."""
        if self.recipe.crop is not None:
            photographs = random_crops(photographs, self.recipe.crop)
        return self.augment(photographs)

    def _step(self, pixels: torch.Tensor, wanted: torch.Tensor) -> tuple[float, int]:
        """Learn from one batch; return its mean loss and how many decisions were right."""
        while True:
            try:
                loss, right = self._gradients(pixels, wanted)
                break
            except torch.OutOfMemoryError:
                if 4 * self.parts > len(pixels):
                    raise
            self.parts *= 2
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM_LIMIT)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss, right

    def _gradients(self, pixels: torch.Tensor, wanted: torch.Tensor) -> tuple[float, int]:
        """Add up the gradient of the batch's mean loss in the parameters, one part of the batch after the other."""
        self.optimiser.zero_grad()
        total, right = 0.0, 0
        parts = min(self.parts, len(pixels) // 2)  # BatchNorm needs two photographs in every part
        for some, answers in zip(pixels.tensor_split(parts), wanted.tensor_split(parts), strict=True):
            with self.arithmetic.autocast():
                logits = self.forward(some)
            loss = functional.cross_entropy(logits, answers, label_smoothing=self.recipe.label_smoothing)
            share = len(some) / len(pixels)
            self.scaler.scale(loss * share).backward()  # type: ignore[no-untyped-call]
            total += loss.item() * share
            right += int((logits.argmax(1) == answers).sum())
        return total, right

    @torch.inference_mode()
    def _validation_loss(self, read: Reader, targets: Targets, rows: Rows) -> float:
        """Return the mean log loss on rows put aside, predicted as photographs will be, but for the mirror images."""
        self.network.eval()
        total = 0.0
        for some in batches(rows, self.recipe.batch_size):
            logits = mean_logits(
                self.network, read(some), flip=False, crop=self.recipe.crop, arithmetic=self.arithmetic
            )
            wanted = self.arithmetic.tensor(targets[some])
            total += functional.cross_entropy(logits, wanted, reduction="sum").item()
        return total / len(rows)
