"""Alignment as geometry: drawn dots instead of faces, under any similarity."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ensemble.predict.faces.alignment import Aligned, align
from ensemble.predict.faces.mtcnn import Face
from ensemble.predict.faces.similarity import Points, Similarity, as_complex, as_pairs, fit
from ensemble.predict.faces.template import Template

SIDE = 128
MARKS = np.array([[48, 60], [80, 60], [64, 79], [49, 93], [79, 93]], float)
WANDER = np.array([1, 1, 5, 3, 3])  # pixels: eyes lie still, noses do not


def _template(tilt: float = 0.5) -> Template:
    return Template((SIDE, SIDE), MARKS, np.full(5, 0.2), tilt, 3.0, 3.0, 1.0)


def _face(landmarks: NDArray[Any]) -> Face:
    return Face(np.array([0.0, 0, 1, 1]), 1.0, np.asarray(landmarks, np.float64))


def _noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _aligned(photograph: NDArray[np.uint8], landmarks: NDArray[Any], tilt: float = 0.5) -> Aligned:
    aligned = align(photograph, _face(landmarks), _template(tilt))
    assert isinstance(aligned, Aligned), aligned
    assert aligned.photograph.shape == (SIDE, SIDE, 3)
    assert aligned.photograph.dtype == np.uint8
    return aligned


def _dots(centres: Points, radius: float, side: int) -> NDArray[np.uint8]:
    """Draw white dots with soft edges."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    away = np.abs(columns[..., None] + 1j * rows[..., None] - centres)
    return np.repeat(np.exp(-((away / radius) ** 2) / 2).sum(axis=-1, keepdims=True) * 250, 3, axis=2).astype(np.uint8)


def _centre_of_dot(photograph: NDArray[np.uint8], near: complex) -> complex:
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    places = columns + 1j * rows
    weights = photograph[..., 0] * (np.abs(places - near) < 8)
    return complex((places * weights).sum() / weights.sum())


@pytest.mark.training
@settings(max_examples=40)
@given(scale=st.floats(0.35, 2.5), angle=st.floats(-180, 180), shift=st.complex_numbers(max_magnitude=4))
@example(scale=2.221172796163506, angle=180.0, shift=2 + 1j)
def test_landmarks_come_to_lie_on_those_of_the_template(scale: float, angle: float, shift: complex) -> None:
    factor = scale * np.exp(1j * np.radians(angle))
    side = int(1.6 * SIDE / scale) + 12
    centre = complex(side / 2, side / 2) + shift
    to_template = Similarity(complex(factor), complex(SIDE / 2, SIDE / 2) - factor * centre)
    placed = to_template.inverse()(as_complex(MARKS))
    aligned = _aligned(_dots(placed, 2.5 / scale, side), as_pairs(placed))
    assert aligned.scale == pytest.approx(scale, rel=1e-3)
    left_alone = abs(angle) if aligned.angle == 0 else 0
    assert left_alone < 1.001
    assert np.cos(np.radians(aligned.angle - angle)) > np.cos(np.radians(left_alone)) - 1e-9
    for mark in as_complex(MARKS):
        allowed = 0.5 + np.radians(left_alone) * abs(mark - as_complex(MARKS).mean())
        assert abs(_centre_of_dot(aligned.photograph, mark) - mark) < allowed


def test_what_lies_right_already_keeps_its_pixels() -> None:
    photograph = _noise(SIDE, SIDE)
    aligned = _aligned(photograph, MARKS)
    assert np.array_equal(aligned.photograph, photograph)
    assert aligned.scale == pytest.approx(1)
    assert aligned.angle == 0


@given(left=st.integers(0, 9), top=st.integers(0, 60))
def test_whole_pixels_are_cut_out_unchanged(left: int, top: int) -> None:
    photograph = _noise(SIDE + 60, SIDE + 9)
    aligned = _aligned(photograph, MARKS + np.array([left, top]))
    assert np.array_equal(aligned.photograph, photograph[top : top + SIDE, left : left + SIDE])


@given(angle=st.floats(-1, 1))
def test_a_tilt_that_training_faces_have_is_left_alone(angle: float) -> None:
    turned = Similarity(complex(np.exp(1j * np.radians(angle))), 20 + 20j)(as_complex(MARKS))
    assert _aligned(_noise(180, 180), as_pairs(turned), tilt=0.51).angle == 0
    if abs(angle) > 0.5:
        assert _aligned(_noise(180, 180), as_pairs(turned), tilt=0.2).angle == pytest.approx(-angle, abs=1e-6)


@pytest.mark.parametrize("angle", [0, 4])
def test_a_border_is_mirrored(angle: float) -> None:
    photograph = _noise(SIDE + 40, SIDE)
    turn = Similarity(complex(np.exp(1j * np.radians(angle))), complex(SIDE / 2 - 5, SIDE / 2 + 20))
    landmarks = as_pairs(turn(as_complex(MARKS - SIDE / 2)))
    padded = np.pad(photograph, ((0, 0), (16, 16), (0, 0)), mode="reflect")
    found, expected = _aligned(photograph, landmarks), _aligned(padded, landmarks + np.array([16, 0]))
    assert found.angle == pytest.approx(-angle)
    # Numbers are rounded in other places.
    assert np.abs(found.photograph.astype(float) - expected.photograph).max() <= 1


def test_a_face_at_the_border_is_refused() -> None:
    fault = align(_noise(SIDE, SIDE), _face(MARKS - [20, 0]), _template())
    assert fault == (
        "The face is too near to the border: 16% of the aligned photograph would lie outside, and at most 10% may."
    )


@pytest.mark.parametrize(
    "landmarks",
    [
        np.full((5, 2), 60.0),
        np.full((5, 2), np.nan),
        np.where(np.eye(5, 2) > 0, np.inf, MARKS),
        MARKS * 1e-9,
        MARKS[:, ::-1] * [1, -1] @ np.diag([1, -1]),  # mirrored
        np.arange(5)[:, None] * [10.0, 0.0],
        MARKS[[3, 1, 2, 0, 4]],
        MARKS * 1e9,
    ],
)
def test_what_is_no_face_gives_a_sentence(landmarks: NDArray[np.float64]) -> None:
    fault = align(_noise(40, 50), _face(landmarks), _template())
    assert isinstance(fault, str)
    assert fault.endswith(".")


@settings(max_examples=60)
@given(
    numbers=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=10, max_size=10),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_no_landmarks_crash_it(numbers: list[float], height: int, width: int) -> None:
    aligned = align(_noise(height, width), _face(np.reshape(numbers, (5, 2))), _template())
    assert isinstance(aligned, str | Aligned)


@given(scale=st.floats(0.01, 100), angle=st.floats(-179, 179), shift=st.complex_numbers(max_magnitude=1e3))
def test_the_fit_finds_a_similarity_whatever_the_weights(scale: float, angle: float, shift: complex) -> None:
    true = Similarity(complex(scale * np.exp(1j * np.radians(angle))), shift)
    source = as_complex(MARKS)
    found = fit(source, true(source), np.array([5.0, 1, 0.1, 2, 3]))
    assert found.scale == pytest.approx(scale)
    assert found.angle == pytest.approx(angle, abs=1e-6)
    assert np.allclose(found.inverse()(true(source)), source)


def _measured_faces(count: int = 200, wander: float = 1.0) -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    faces: NDArray[np.float64] = MARKS + rng.normal(size=(count, 5, 2)) * WANDER[:, None] * wander
    return faces


def test_landmarks_that_lie_still_weigh_more() -> None:
    template = Template.of_landmarks(_measured_faces(), (SIDE, SIDE))
    assert np.abs(template.landmarks - MARKS).max() < 1
    assert template.weights.sum() == pytest.approx(1)
    assert (template.weights[:2] > 4 * template.weights[3:]).all()
    assert template.weights.argmin() == 2
    assert template.scatter == pytest.approx(np.sqrt(2 * (WANDER**2).mean()), rel=0.1)
    assert 0 < template.tilt < 5


def test_a_template_survives_json() -> None:
    template = Template.of_landmarks(_measured_faces(), (SIDE, SIDE), 0.95)
    again = Template.from_json(json.loads(json.dumps(template.to_json())))
    assert again.to_json() == template.to_json()
    assert isinstance(again.landmarks, np.ndarray)
    assert again.size == (SIDE, SIDE)


@pytest.mark.parametrize(("missing", "wander", "measured"), [(0, 1, True), (9, 1, True), (11, 1, False), (0, 9, False)])
def test_a_template_needs_faces_that_lie_alike(missing: int, wander: float, measured: bool) -> None:
    faces = [[_face(marks)] for marks in _measured_faces(50 - missing, wander)] + [list[Face]()] * missing
    order = iter(faces)
    template = Template.measure(np.zeros((50, SIDE, SIDE, 3), np.uint8), lambda _: next(order))
    assert (template is not None) == measured
    if template:
        assert template.share == pytest.approx(1 - missing / 50)


def test_no_photographs_give_no_template() -> None:
    assert Template.measure(np.zeros((0, SIDE, SIDE, 3), np.uint8), lambda _: []) is None
