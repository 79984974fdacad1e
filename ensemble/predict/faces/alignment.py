"""Faces aligned as those of the training photographs are, and resampled by one filter.

Faces of FFHQ were aligned by a fixed recipe: a square from eyes and mouth, shrunk, cropped, padded by reflection and
transformed (Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks", CVPR
2019; `recreate_aligned_images` in https://github.com/NVlabs/ffhq-dataset). The training photographs of a competition
may have been aligned in any way, so here a similarity brings the landmarks of a face to where they lie in those
photographs. The filter is Pillow's bicubic one (Keys, 1981, with a = -0.5), which is stretched where it shrinks, and so
antialiases. A face that is upright is resampled once. One that is turned is resampled to its final scale first, and
then turned by the same filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble.predict.faces.mtcnn import Face
from ensemble.predict.faces.similarity import Points, Similarity, as_complex, as_pairs, fit
from ensemble.predict.faces.template import Template

MOST_OUTSIDE = 0.1  # share of the aligned photograph that may be mirrored at the border
LEAST_SHAPE = 0.75  # share of the landmarks' variance that a similarity has to explain
UPRIGHT = 2.0  # standard deviations of the training faces' tilt: up to this angle, a face is not turned
_LEAST_SIZE = 2.0  # pixels, root mean square distance of the landmarks from their centre
_FAR = 1e6  # pixels, farther than any photograph reaches
_REACH = 3  # pixels of the result: the filter looks at two beyond an edge


@dataclass(frozen=True)
class Aligned:
    """An aligned face.

    Attributes
    ----------
    photograph : ndarray of uint8, shape (height, width, 3)
        RGB, of the template's size.
    scale : float
        Pixels of the result per pixel of the photograph; above 1, the face had to be enlarged.
    angle : float
        Degrees that the face was turned by, clockwise as seen; 0 if it was upright.
    """

    photograph: NDArray[np.uint8]
    scale: float
    angle: float


def align(photograph: NDArray[np.uint8], face: Face, template: Template) -> Aligned | str:
    """Align a face of a photograph uint8 (height, width, 3), RGB; or say in a sentence why that cannot be."""
    if (fault := _fault(face, template)) is not None:
        return fault
    points = as_complex(face.landmarks)
    to_template = template.fit(points)
    if abs(to_template.angle) <= UPRIGHT * template.tilt:
        to_template = template.fit(points, turns=False)
    outside = _share_outside(photograph, to_template.inverse(), template.size)
    if outside > MOST_OUTSIDE:
        return (
            f"The face is too near to the border: {outside:.0%} of the aligned photograph would lie outside, and at "
            f"most {MOST_OUTSIDE:.0%} may."
        )
    resample = _turned if to_template.angle else _scaled
    return Aligned(resample(photograph, to_template, template.size), to_template.scale, to_template.angle)


def _fault(face: Face, template: Template) -> str | None:
    """Say what is wrong with landmarks, if they cannot be those of a face."""
    if not (np.abs(face.landmarks) < _FAR).all():  # true of NaN too
        return "The landmarks of the face are not places in a photograph."
    points = as_complex(face.landmarks)
    if (size := points.std()) < _LEAST_SIZE:
        return "The face is too small to be aligned: its landmarks lie within a few pixels."
    if (fit(points, template.points).scale * size / template.points.std()) ** 2 < LEAST_SHAPE:
        return "The landmarks that were found do not lie as those of a face do."
    return None


def _share_outside(photograph: NDArray[np.uint8], back: Similarity, size: tuple[int, int]) -> float:
    """Return the share of the result's pixels whose centres lie outside of the photograph."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    centres = back(columns + 1j * rows)
    height, width = photograph.shape[:2]
    inside = (centres.real >= 0) & (centres.real < width) & (centres.imag >= 0) & (centres.imag < height)
    return float(1 - inside.mean())


def _scaled(photograph: NDArray[np.uint8], to_template: Similarity, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resample an upright face, once."""
    height, width = size
    edges = to_template.inverse()(np.array([0, complex(width, height)]))
    piece, corner = _piece(photograph, edges, _REACH / to_template.scale)
    (left, top), (right, bottom) = as_pairs(edges - corner)
    return np.asarray(Image.fromarray(piece).resize(size[::-1], Image.Resampling.BICUBIC, (left, top, right, bottom)))


def _turned(photograph: NDArray[np.uint8], to_template: Similarity, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resample a face to its final scale, then turn it."""
    height, width = size
    back = to_template.inverse()
    corners = back(np.array([0, width, complex(0, height), complex(width, height)]))
    piece, corner = _piece(photograph, corners, _REACH / to_template.scale)
    sides = np.array(piece.shape[1::-1])
    across, down = (max(round(side * to_template.scale), 1) for side in sides)
    scaled = Image.fromarray(piece).resize((across, down), Image.Resampling.BICUBIC)
    places = Similarity(back.factor, back.shift - corner).coefficients(*([across, down] / sides))
    return np.asarray(scaled.transform((width, height), Image.Transform.AFFINE, places, Image.Resampling.BICUBIC))


def _piece(photograph: NDArray[np.uint8], points: Points, margin: float) -> tuple[NDArray[np.uint8], complex]:
    """Cut out what points span, and a margin, mirrored at the photograph's border; and return its first corner."""
    spans, pads, firsts = list[slice](), list[tuple[int, int]](), list[int]()
    for length, places in zip(photograph.shape[:2], (points.imag, points.real), strict=True):
        first, last = int(np.floor(places.min() - margin)), int(np.ceil(places.max() + margin))
        firsts.append(first)
        spans.append(slice(max(first, 0), min(last, length)))
        pads.append((max(-first, 0), max(last - length, 0)))
    return np.pad(photograph[tuple(spans)], (*pads, (0, 0)), mode="reflect"), complex(firsts[1], firsts[0])
