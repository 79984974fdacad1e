"""Final weights of a fit: the last, an average of many, or those of the best epoch on rows put aside."""

from __future__ import annotations

import copy
import math
from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_avg_fn

_towards: Any = get_ema_multi_avg_fn  # torch gives them no types
_mean: Any = get_swa_avg_fn


class FinalWeights:
    """Keeps the weights as they are after the last step. Subclasses follow the training and choose others."""

    def after_step(self, network: nn.Module) -> None:
        """Note the network after a step of the optimiser."""

    def after_epoch(self, network: nn.Module, epochs_left: int, validation_loss: float | None) -> bool:  # noqa: ARG002
        """Note the network after an epoch; return True to stop the training."""
        return False

    def finish(self, network: nn.Module) -> None:
        """Load the final weights into the network."""


class _Average(FinalWeights):
    """Weights, and the norms' statistics, averaged over times that subclasses choose."""

    def __init__(self, network: nn.Module, **how: Any) -> None:
        self._average = AveragedModel(network, use_buffers=True, **how)

    def finish(self, network: nn.Module) -> None:
        """Load the average."""
        network.load_state_dict(self._average.module.state_dict())


class MovingAverage(_Average):
    """An exponential moving average over steps."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=_towards(decay))

    def after_step(self, network: nn.Module) -> None:
        """Move the average towards the network."""
        self._average.update_parameters(network)


class LastEpochs(_Average):
    """The mean after each of the last epochs."""

    def __init__(self, network: nn.Module, epochs: int) -> None:
        super().__init__(network, avg_fn=_mean())  # torch's own choice cannot divide BatchNorm's counts on a GPU
        self._epochs = epochs

    def after_epoch(self, network: nn.Module, epochs_left: int, validation_loss: float | None) -> bool:  # noqa: ARG002
        """Add the network to the mean if it is one of the last."""
        if epochs_left < self._epochs:
            self._average.update_parameters(network)
        return False


class BestEpoch(FinalWeights):
    """The weights of the epoch with the lowest loss on rows put aside; stops after `patience` epochs without one."""

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best_loss, self._epochs_since = math.inf, 0
        self._best: dict[str, object] = {}

    def after_epoch(self, network: nn.Module, epochs_left: int, validation_loss: float | None) -> bool:  # noqa: ARG002
        """Keep the network if it is the best so far."""
        if validation_loss is None:
            raise ValueError("the best epoch is chosen on rows put aside, and there are none")
        self._epochs_since += 1
        if validation_loss < self._best_loss:
            self._best_loss, self._epochs_since = validation_loss, 0
            self._best = copy.deepcopy(network.state_dict())
        return self._epochs_since >= self._patience

    def finish(self, network: nn.Module) -> None:
        """Load the weights of the best epoch."""
        if not self._best:
            raise FloatingPointError("the loss on rows put aside was never a finite number; lower learning_rate")
        network.load_state_dict(self._best)
