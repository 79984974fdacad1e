"""Forensic columns where there is neither numba nor scikit-learn: NumPy counts and sums what compiled loops do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import members.forensics
from members.forensics import ForensicFeatures, colours, cooccurrence, daubechies, statistics
from members.forensics.families import colour, neighbours, phase, wavelets
from members.forensics.family import column_names, forensic_table
from tests import ROOT
from tests.members.test_forensics import photographs

SIDES = st.integers(1, 24)
EVEN = st.integers(1, 12).map(lambda half: 2 * half)
LEVELS = st.sampled_from([(0, 255), (0, 0), (255, 255), (0, 1), (127, 128)])

few = settings(max_examples=40)
PIXEL, WHITE = np.zeros((3, 1, 1), dtype=np.uint8), np.full((3, 7, 9), 255, dtype=np.uint8)


@st.composite
def colour_planes(draw: st.DrawFn, sides: st.SearchStrategy[int] = SIDES) -> npt.NDArray[np.uint8]:
    elements = st.integers(*draw(LEVELS))
    return draw(hnp.arrays(np.uint8, (3, draw(sides), draw(sides)), elements=elements, fill=elements))


def floats(*shape: int) -> st.SearchStrategy[npt.NDArray[np.float32]]:
    grey_levels = st.integers(0, 255) | st.floats(-255, 255, width=32)
    return hnp.arrays(np.float32, shape, elements=grey_levels, fill=grey_levels)


@few
@given(colour_planes())
@example(PIXEL)
@example(WHITE)
def test_luminance_and_chroma(rgb):
    expected = colours.luminance_and_chroma(rgb)
    found = colours._planes_plain(rgb)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@few
@given(colour_planes(), st.sampled_from([1, 2, 4, 8]))
@example(PIXEL, 4)
@example(WHITE, 4)
def test_luminance_and_chroma_in_parts_of_a_level(rgb, fineness):
    expected = colours.luminance_and_chroma_levels(rgb, fineness)
    found = colours._levels_plain(rgb, fineness)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@few
@given(st.data(), st.integers(1, 40), st.integers(1, 40))
def test_moments(data, rows, columns):
    values, middles = data.draw(floats(rows, columns)), data.draw(floats(rows))
    expected = statistics.central_moments(values, middles)
    found = statistics._moments_plain(values, middles)
    # Of a flat row both are the rounding of its mean.
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@few
@given(st.data(), SIDES, SIDES, st.sampled_from([np.int16, np.int32]), st.booleans())
def test_triples(data, height, width, kind, downwards):
    elements = st.integers(-30, 30) | st.sampled_from([-24480, 24480, 0])
    residual = data.draw(hnp.arrays(kind, (height, width), elements=elements, fill=elements))
    least = np.array([2, 4, 6, 12], dtype=np.int16)
    expected = cooccurrence._count(residual, least, downwards)
    found = cooccurrence._count_plain(residual, least, downwards)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@few
@given(st.data(), st.integers(1, 3), EVEN, EVEN)
def test_wavelets_along_columns(data, count, height, width):
    planes = data.draw(floats(count, height, width))
    expected = daubechies._along_columns(planes, daubechies._LOW, daubechies._HIGH)
    found = daubechies._along_columns_plain(planes, daubechies._LOW, daubechies._HIGH)
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-4)


@few
@given(st.data(), EVEN, EVEN)
def test_wavelets_and_their_parents(data, height, width):
    child, parent = data.draw(floats(3, height, width)), data.draw(floats(3, height // 2, width // 2))
    np.testing.assert_allclose(
        wavelets._sums_plain(child, parent), wavelets._sums(child, parent), rtol=1e-12, atol=1e-8
    )


@few
@given(colour_planes(EVEN))
def test_differences_of_neighbours(rgb):
    for plane in rgb.astype(np.int16):
        expected = neighbours._count_differences(plane)
        found = neighbours._count_differences_plain(plane)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@few
@given(colour_planes(st.integers(7, 30)))
@example(WHITE)
@example(0 * WHITE)
def test_local_phases(rgb):
    """Where a part of a phase is nought up to rounding, its sign may differ between processors."""
    luminance = colours.luminance_and_chroma(rgb)[0]
    expected = phase._local_phases(luminance, *phase._wave())
    found = phase._local_phases_plain(luminance, *phase._wave())
    assert found.dtype == expected.dtype
    assert np.count_nonzero(found != expected) <= 1


@few
@given(colour_planes())
@example(PIXEL)
@example(WHITE)
def test_counts_of_colours(rgb):
    levels = rgb.astype(np.int16)
    np.testing.assert_array_equal(colour._count_levels_plain(rgb), colour._count_levels(rgb))
    np.testing.assert_array_equal(colour._count_joint_plain(levels, 2), colour._count_joint(levels, 2))


@few
@given(hnp.arrays(np.int16, st.tuples(st.just(3), st.integers(1, 200)), elements=st.integers(-8160, 8160)))
def test_sums_and_products_of_residuals(residuals):
    for found, expected in zip(
        colour._sums_and_products_plain(residuals), colour._sums_and_products(residuals), strict=True
    ):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


ALONE = """
import json, sys
absent = ("numba", "sklearn", "torch", "lightgbm", "pandas")
sys.modules.update(dict.fromkeys(absent))
import numpy as np
from members.forensics.compiled import HAS_NUMBA
from members.forensics.family import column_names, forensic_table
assert not HAS_NUMBA
np.savez(sys.argv[2], **{name: forensic_table(X[None]) for name, X in np.load(sys.argv[1]).items()})
print(json.dumps(column_names()))
"""


@pytest.mark.process
def test_columns_without_numba_and_scikit_learn_are_the_same(tmp_path: Path) -> None:
    pictures = {"large": photographs(1, 72, 96)[0], "small": photographs(1, 40, 33, seed=1)[0]}
    np.savez(tmp_path / "pictures.npz", **pictures)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, tmp_path / "pictures.npz", tmp_path / "tables.npz"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    features = ForensicFeatures()
    assert json.loads(done.stdout) == list(features.get_feature_names_out())
    tables = np.load(tmp_path / "tables.npz")
    for name, X in pictures.items():
        np.testing.assert_allclose(tables[name], features.transform(X[None]), rtol=1e-5, atol=1e-6)


@pytest.mark.process
def test_public_names_are_imported_when_they_are_asked_for() -> None:
    code = (
        "import sys, members.forensics.family; heavy = {'sklearn', 'lightgbm', 'pandas', 'torch'};"
        "assert not heavy & sys.modules.keys();"
        "from members.forensics import *; print(*(ForensicFeatures, LogDCT, Spectra, family_contributions));"
        "assert {'sklearn', 'lightgbm'} <= sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(callable(getattr(members.forensics, name)) for name in members.forensics.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Smell'"):
        members.forensics.Smell  # noqa: B018


def test_the_table_is_that_of_the_transformer() -> None:
    names, X = ("flags", "colour"), photographs(3)
    assert column_names(names) == list(ForensicFeatures(names).get_feature_names_out())
    np.testing.assert_array_equal(forensic_table(X, names), ForensicFeatures(names).transform(X))
