"""Small photographs to learn from, and small classifiers that learn from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from members.cnn import ImageClassifier

SIDE = 32


def photographs(rows: int = 40, seed: int = 0, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Noise; the fakes carry a faint checkerboard, a high-frequency trace that any resizing would erase."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    checkers = 24 * ((np.indices((side, side)).sum(axis=0) % 2) * 2 - 1)[None, :, :, None]
    X = rng.normal(128, 30, (rows, side, side, 3)) + checkers * y[:, None, None, None]
    return X.clip(0, 255).astype(np.uint8), y


def classifier(**options: Any) -> ImageClassifier:
    settings = {"backbone": "test_efficientnet", "weights": "none", "epochs": 2, "batch_size": 8, "random_state": 0}
    return ImageClassifier(**{**settings, **options})
