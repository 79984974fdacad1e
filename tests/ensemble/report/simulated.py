"""Opinions of simulated members for tests of what is chosen from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.core.metrics.scores import to_probabilities
from ensemble.report.exhibits.opinions import Opinions


def opinions(
    n: int = 400, quality: tuple[float, ...] = (2.0, 2.0, 1.5, 1.0), flipped: tuple[int, ...] = (), seed: int = 0
) -> Opinions:
    """Members that see the truth through noise of their own; the labels of some rows are the opposite of the truth."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    logits = np.outer(2 * truth - 1, quality) * 0.5 + rng.normal(size=(n, len(quality)))
    labels = truth.copy()
    labels[list(flipped)] = 1 - labels[list(flipped)]
    return opinions_of(logits, labels)


def opinions_of(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> Opinions:
    """Opinions of members with these logits (n, members); the mean of them leads."""
    who = [f"member_{place}" for place in range(logits.shape[1])]
    names = [f"{row:05d}.png" for row in range(len(labels))]
    lead = to_probabilities(np.nanmean(logits, axis=1))
    return Opinions("train", names, labels.astype(np.int64), "blend (mean)", lead, who, logits.astype(np.float32))
