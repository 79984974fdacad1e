"""Where the decision falls among blended logits."""

from __future__ import annotations

from dataclasses import dataclass

from ensemble.core.arrays import Array


@dataclass(frozen=True)
class Decision:
    """Map of blended logits to (z - shift) / temperature, so that the decision falls at 0 (probability 0.5)."""

    temperature: float = 1.0
    shift: float = 0.0

    def __call__(self, logits: Array) -> Array:
        """Return the logits (rows,) after shift and temperature."""
        return (logits - self.shift) / self.temperature
