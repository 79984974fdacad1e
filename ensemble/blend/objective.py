"""What weight searches minimise: wrong decisions at 0.5, and among equals the log loss."""

from __future__ import annotations

import numpy as np

from ensemble.blend.base import Array, Labels

_ALMOST_ONE = 1 - 1e-9


def right_count(logits: Array, labels: Labels) -> int:
    """Decisions that are right: fake (1) at or above zero. Logits (rows,)."""
    return int(np.count_nonzero((logits >= 0) == (labels == 1)))


def mean_log_loss(logits: Array, labels: Labels) -> float:
    """Log loss of logits (rows,), computed without ever forming a probability of 0 or 1."""
    return float(np.logaddexp(0, np.where(labels == 1, -logits, logits)).mean())


def wrong_then_log_loss(logits: Array, labels: Labels) -> float:
    """Number of wrong decisions, plus a fraction below one that orders equals by log loss."""
    loss = mean_log_loss(logits, labels)
    return len(labels) - right_count(logits, labels) + min(loss / (1 + loss), _ALMOST_ONE)
