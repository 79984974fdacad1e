"""Similarities of the plane: a scale, a turn and a shift; points are complex numbers x + iy, in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array

Points = NDArray[np.complex128]  # x + iy


@dataclass(frozen=True)
class Similarity:
    """Map of each point z to factor * z + shift. Its angle is in degrees; as y points down, positive is clockwise."""

    factor: complex
    shift: complex

    @property
    def scale(self) -> float:
        """Length of a step of one pixel after the map."""
        return abs(self.factor)

    @property
    def angle(self) -> float:
        """Degrees that the map turns by, in (-180, 180], clockwise as seen."""
        return float(np.degrees(np.angle(self.factor)))

    def __call__(self, points: Points) -> Points:
        """Map points, of any shape."""
        return self.factor * points + self.shift

    def inverse(self) -> Similarity:
        """Return the map back."""
        return Similarity(1 / self.factor, -self.shift / self.factor)

    def coefficients(self, across: float = 1, down: float = 1) -> tuple[float, ...]:
        """Return the six numbers of `Image.transform`, where mapped points are stretched by these factors."""
        step, shift = self.factor, self.shift
        x, y = (step.real, -step.imag, shift.real), (step.imag, step.real, shift.imag)
        return (*(across * number for number in x), *(down * number for number in y))


def fit(source: Points, target: Points, weights: Array | None = None, turns: bool = True) -> Similarity:
    """Return the similarity that minimizes the weighted sum of squared distances between mapped source and target.

    In the plane, this is the solution of Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", IEEE Transactions on Pattern Analysis and Machine Intelligence 13 (1991), without reflections.
    With `turns=False`, the best map that only scales and shifts. The source must not be a single point.
    """
    weights = np.ones(len(source)) if weights is None else weights
    centre, goal = (complex(np.average(points, weights=weights)) for points in (source, target))
    away = source - centre
    product = complex(np.vdot(away * weights, target - goal))
    factor = (product if turns else product.real) / float(weights @ np.abs(away) ** 2)
    return Similarity(complex(factor), goal - factor * centre)


def as_complex(points: NDArray[np.floating[Any]]) -> Points:
    """Return points (..., 2) as complex numbers (...)."""
    return np.asarray(points[..., 0] + 1j * points[..., 1], np.complex128)


def as_pairs(points: Points) -> Array:
    """Return complex numbers (...) as points (..., 2)."""
    return np.stack([points.real, points.imag], axis=-1)
