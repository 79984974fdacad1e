"""Photographs of other sizes: their faces are aligned as the training faces are, or it is said why not."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ensemble.predict.bundle.manifest import Scope
from ensemble.predict.faces.mtcnn import Face, FacesNotAvailable
from ensemble.predict.faces.template import Template
from ensemble.predict.photographs.decoding import Photograph, decode
from ensemble.predict.photographs.preparing import Preparation

Pixels = NDArray[np.uint8]

SCOPE = Scope(lowest_quality=50, largest_scale=1.05, largest_angle=10)
LANDMARKS = np.array([[22.0, 30.0], [42.0, 30.0], [32.0, 40.0], [25.0, 48.0], [39.0, 48.0]])
TEMPLATE = Template.of_landmarks(LANDMARKS + np.random.default_rng(0).normal(0, 0.1, (20, 5, 2)), (64, 64))


def face_at(scale: float, moved: float = 0.0, angle: float = 0.0, score: float = 1.0) -> Face:
    """A face as large as those of training times `scale`, turned about its own middle."""
    points = (LANDMARKS - LANDMARKS.mean(axis=0)) @ rotation(angle).T * scale + LANDMARKS.mean(axis=0) * scale + moved
    low, high = points.min(axis=0), points.max(axis=0)
    return Face(np.concatenate([low, high]), score, points)


def rotation(degrees: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, -sine], [sine, cosine]])


def preparation(*faces: Face, **more: Any) -> Preparation:
    return Preparation(
        **{
            "size": (64, 64),
            "template": TEMPLATE,
            "scope": SCOPE,
            "make_finder": lambda: lambda _: list(faces),
            **more,
        }
    )


def photograph(width: int, height: int, **more: Any) -> Photograph:
    rng = np.random.default_rng(width * height)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Photograph(**{"pixels": pixels, "format": "PNG", "quality": float("nan"), "orientation": 1, **more})


def test_photographs_of_the_right_size_pass_untouched() -> None:
    one = photograph(64, 64)
    prepared = preparation()(one)
    assert prepared.pixels is one.pixels
    assert prepared.reason == ""


def test_a_larger_face_is_brought_to_the_place_of_the_training_faces() -> None:
    one = photograph(128, 128)
    prepared = preparation(face_at(2.0))(one)
    assert prepared.reason == ""
    assert prepared.pixels is not None
    assert prepared.pixels.shape == (64, 64, 3)
    half = np.asarray(Image.fromarray(one.pixels).resize((64, 64), Image.Resampling.BICUBIC))
    assert np.abs(prepared.pixels[8:-8, 8:-8].astype(int) - half[8:-8, 8:-8]).mean() < 12


@pytest.mark.parametrize(
    ("faces", "size", "words"),
    [
        ((), (128, 128), "no face was found"),
        ((face_at(2.0), face_at(1.9, moved=3)), (300, 300), "2 faces were found"),
        ((face_at(0.5),), (40, 40), "the face is too small: it had to be enlarged by 2.0"),
        ((face_at(2.0, moved=30, angle=25),), (200, 200), "the face is rotated by 25 degrees"),
        ((face_at(2.0, moved=-50),), (128, 128), "too near to the border"),
    ],
)
def test_why_nothing_can_be_said(faces: tuple[Face, ...], size: tuple[int, int], words: str) -> None:
    prepared = preparation(*faces)(photograph(*size))
    assert words in prepared.reason
    assert "\n" not in prepared.reason


def test_a_smaller_face_beside_is_no_second_meaning() -> None:
    assert preparation(face_at(2.0), face_at(0.5, moved=100))(photograph(128, 128)).reason == ""


def test_without_a_common_place_other_sizes_are_refused() -> None:
    prepared = preparation(face_at(2.0), template=None)(photograph(128, 96))
    assert prepared.pixels is None
    assert "128 x 96 pixels instead of 64 x 64" in prepared.reason


def test_without_the_networks_other_sizes_are_refused() -> None:
    def missing() -> Any:
        raise FacesNotAvailable("install them")

    assert "install them" in preparation(make_finder=missing)(photograph(128, 96)).reason


def test_worse_jpegs_than_were_tested_are_not_judged() -> None:
    assert preparation()(photograph(64, 64, quality=50.0)).reason == ""
    prepared = preparation()(photograph(64, 64, quality=30.0))
    assert "saved as JPEG of quality 30; qualities below 50 were not tested" in prepared.reason
    assert prepared.pixels is not None
    assert "quality 30" in preparation(face_at(2.0))(photograph(128, 128, quality=30.0)).reason


def test_what_exif_says_is_applied_before_a_face_is_looked_for() -> None:
    image, file = Image.new("RGB", (100, 60)), io.BytesIO()
    image.paste((255, 0, 0), (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image.save(file, "PNG", exif=exif)
    decoded = decode(file.getvalue())
    assert isinstance(decoded, Photograph)
    seen: list[Pixels] = []
    preparation(make_finder=lambda: lambda pixels: seen.append(pixels) or [])(decoded)
    assert seen[0].shape == (100, 60, 3)
    assert seen[0][5, 55].tolist() == [255, 0, 0]
