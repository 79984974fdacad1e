"""Random numbers of a fit that leave the global generators as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_random_state


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Draw a seed from scikit-learn's `random_state`; None draws a new one each time."""
    if random_state is None:  # check_random_state would draw from NumPy's global generator
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def private_randomness(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's global generator, and that of a GPU if one is named, and restore them at the end."""
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
