"""Where the faces of training photographs lie, measured from the photographs themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array
from ensemble.predict.faces.mtcnn import Face, dominant
from ensemble.predict.faces.similarity import Points, Similarity, as_complex, as_pairs, fit

Finder = Callable[[NDArray[np.uint8]], list[Face]]  # such as FaceFinder

LEAST_SHARE = 0.8  # of the photographs that have to show exactly one face
MOST_SCATTER = 0.08  # of the geometric mean of height and width; faces of FFHQ have 0.025
_FINENESS = 0.5  # pixels; no landmark is taken to be more exact
_TO_DEVIATION = 1.4826  # standard deviation of normal numbers in units of their median absolute deviation


@dataclass(frozen=True)
class Template:
    """Where the faces of the training photographs lie.

    Attributes
    ----------
    size : tuple of int
        Height and width of the training photographs, in pixels.
    landmarks : ndarray of float64, shape (5, 2)
        Medians of x and y over the photographs, in the order of `Face.landmarks`, in pixels.
    weights : ndarray of float64, shape (5,)
        Weights of the landmarks in the fit, with sum 1: inverse variances, since what all training faces have in the
        same place is what they were aligned by (the eyes, say), and what wanders (the nose of a turned head) is not.
    tilt : float
        Standard deviation of the angles, in degrees, that training faces are turned by.
    scatter : float
        Root mean square distance, in pixels, of the landmarks of single photographs from the medians, as they lie.
    spread : float
        The same after each face's best similarity: how faces differ in shape, pose and expression.
    share : float
        Share of the photographs with exactly one (dominant) face.
    """

    size: tuple[int, int]
    landmarks: Array
    weights: Array
    tilt: float
    scatter: float
    spread: float
    share: float

    @classmethod
    def measure(cls, photographs: Iterable[NDArray[np.uint8]], finder: Finder) -> Template | None:
        """Measure photographs uint8 (n, height, width, 3); None if less than 80 % of them show exactly one face.

        Also None if faces lie so differently that there is no one place where they belong.
        """
        photographs = list(photographs)
        faces = [face for photograph in photographs if (face := dominant(finder(photograph))) is not None]
        if not photographs or len(faces) < LEAST_SHARE * len(photographs):
            return None
        height, width = photographs[0].shape[:2]
        share = len(faces) / len(photographs)
        template = cls.of_landmarks(np.stack([face.landmarks for face in faces]), (height, width), share)
        return template if template.scatter <= MOST_SCATTER * np.sqrt(height * width) else None

    @classmethod
    def of_landmarks(cls, landmarks: Array, size: tuple[int, int], share: float = 1.0) -> Template:
        """Measure the landmarks (n, 5, 2) of n faces in photographs of one size (height, width)."""
        points = as_complex(landmarks)
        middle = as_complex(np.median(landmarks, axis=0))
        deviations = _TO_DEVIATION * np.median(np.abs(as_pairs(points - middle)), axis=0)
        precisions = 1 / ((deviations**2).mean(axis=1) + _FINENESS**2)
        weights = precisions / precisions.sum()
        fits = [fit(face, middle, weights) for face in points]
        fitted = np.stack([to_middle(face) for to_middle, face in zip(fits, points, strict=True)])
        tilt = _TO_DEVIATION * float(np.median([abs(to_middle.angle) for to_middle in fits]))
        return cls(size, as_pairs(middle), weights, tilt, _away(points, middle), _away(fitted, middle), share)

    @property
    def points(self) -> Points:
        """The landmarks as complex numbers (5,)."""
        return as_complex(self.landmarks)

    def fit(self, points: Points, turns: bool = True) -> Similarity:
        """Return the similarity that brings the landmarks (5,) of a face to those of the template."""
        return fit(points, self.points, self.weights, turns)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        arrays = {"landmarks": self.landmarks.tolist(), "weights": self.weights.tolist()}
        return {**vars(self), "size": list(self.size), **arrays}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Template:
        """Return the template that `to_json` has stored."""
        height, width = stored["size"]
        arrays = {name: np.asarray(stored[name], np.float64) for name in ("landmarks", "weights")}
        return cls(**{**stored, "size": (height, width), **arrays})


def _away(points: Points, middle: Points) -> float:
    return float(np.sqrt((np.abs(points - middle) ** 2).mean()))
