"""Logits of simulated members for tests."""

from __future__ import annotations

import numpy as np

from ensemble.blend.evaluation.nested import Problem


def world(n: int, quality: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of members that see the label through noise of their own, and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    signal = np.outer(2 * labels - 1, quality)
    return np.asfortranarray((signal + rng.normal(size=signal.shape)).astype(np.float32)), labels


def folds_of(n: int, k: int = 5) -> np.ndarray:
    return np.arange(n) // 2 % k


def problem(n: int, quality: list[float], seed: int = 0, k: int = 5) -> Problem:
    logits, labels = world(n, quality, seed)
    return Problem(logits, len(quality), labels, folds_of(n, k))
