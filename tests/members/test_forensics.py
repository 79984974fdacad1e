"""The transformers as scikit-learn and the engine use them: types, names, independence of rows, odd photographs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from members.forensics import ForensicFeatures, LogDCT
from members.forensics.family import known_families, load_families
from members.forensics.transformer import PhotographTransformer

Pixels = npt.NDArray[np.uint8]

TRANSFORMERS = [ForensicFeatures(), ForensicFeatures(families=known_families()), LogDCT(), LogDCT(cell=32)]
SIDES = st.integers(min_value=1, max_value=57)


def photographs(n: int, height: int = 64, width: int = 64, seed: int = 0) -> Pixels:
    """Smooth colour fields with noise, as unlike each other as photographs are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 16.0
    waves = rng.normal(size=(n, 3, 2, 1, 1))
    fields = 120 + 60 * np.sin(waves[:, :, 0] * x + waves[:, :, 1] * y + np.arange(3)[:, None, None])
    noise = rng.normal(size=(n, 3, height, width)) * rng.uniform(1, 8, size=(n, 1, 1, 1))
    return np.clip(fields + noise, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def letter_boxed() -> Pixels:
    X = photographs(1)
    X[:, :16] = 0
    X[:, -16:] = 0
    return X


@pytest.fixture(params=TRANSFORMERS, ids=str)
def transformer(request: pytest.FixtureRequest) -> PhotographTransformer:
    return clone(request.param)


def test_output_is_a_named_float32_table(transformer):
    table = transformer.fit(photographs(3)).transform(photographs(3))
    names = transformer.get_feature_names_out()
    assert table.dtype == np.float32
    assert table.flags.c_contiguous
    assert table.shape == (3, len(names))
    assert len(set(names)) == len(names)


def test_column_counts():
    counts = {name: len(family.columns) for name, family in load_families(known_families()).items()}
    assert counts == {
        "spectrum": 3 * (182 + 11 + 8) + 8 * 16,
        "dct": 3 * 3 * 63,
        "digits": 2 * 9 * 5,
        "residuals": 3 * 5 * 2 * 39,
        "extremes": 3 * 2 * 75,
        "residual_cells": 3 * 16 * 2 * 2 * 39,
        "colour": 125 + 3 * 25 + 6 + 16 + 9,
        "neighbours": 3 * (3 * 4 + 2),
        "wavelets": 3 * (64 * 2 + 9 * 2 + 6),
        "phase": 2 + 32 + 16 * 3 + 256,
        "flags": 3,
        "jpeg_grid": 8 + 8 + 2 + 63 + 1,
        "jpeg_ghosts": 11,
    }
    assert len(LogDCT(cell=4).get_feature_names_out()) == 3 * 64 * 64


@pytest.mark.parametrize(
    "name",
    [
        "spectrum/Y/azimuthal_017",
        "spectrum/Cr/lattice_2_2",
        "dct/Cb/beta_ml_05",
        "residuals/Y/2nd/q1/class_12",
        "colour/RG/joint_-1+2",
    ],
)
def test_names_stay_as_they_are(name):
    assert name in ForensicFeatures().get_feature_names_out()


def test_a_row_depends_on_nothing_but_its_photograph(transformer):
    X = photographs(5)
    table = transformer.transform(X)
    one_by_one = np.concatenate([transformer.transform(X[i : i + 1]) for i in range(5)])
    order = [3, 0, 4, 2, 1]
    np.testing.assert_array_equal(table, one_by_one)
    np.testing.assert_array_equal(table[order], transformer.transform(X[order]))
    assert len(np.unique(table, axis=0)) == 5


def test_read_only_and_strided_photographs(transformer):
    X = photographs(2)
    strided = np.asfortranarray(X)
    X.flags.writeable = False
    np.testing.assert_array_equal(transformer.transform(X), transformer.transform(strided))


@pytest.mark.training
@settings(max_examples=40)
@given(
    st.data(),
    st.tuples(SIDES, SIDES),
    st.sampled_from([(0, 255), (0, 1), (255, 255), (0, 0), (127, 128)]),
)
def test_finite_for_any_bytes(data, sides, levels):
    X = data.draw(hnp.arrays(np.uint8, (1, *sides, 3), elements=st.integers(*levels), fill=st.integers(*levels)))
    for transformer in TRANSFORMERS:
        assert np.isfinite(transformer.transform(X)).all()


@pytest.mark.parametrize("level", [0, 1, 113, 255])
def test_flat_photographs(transformer, level):
    assert np.isfinite(transformer.transform(np.full((1, 64, 64, 3), level, dtype=np.uint8))).all()


def test_flat_photographs_of_any_colour_look_alike():
    colours = np.random.default_rng(0).integers(0, 256, size=(20, 1, 1, 3), dtype=np.uint8)
    X = np.broadcast_to(colours, (20, 64, 64, 3))
    table = ForensicFeatures(families=["spectrum", "dct", "residuals"]).transform(X)
    assert np.ptp(table, axis=0).max() < 0.05  # rounding of float32, far below what any texture does


def test_letter_boxed_photograph(transformer):
    assert np.isfinite(transformer.transform(letter_boxed())).all()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 72), (96, 33), (200, 300)])
def test_other_sizes_have_the_same_columns(transformer, height, width):
    table = transformer.transform(photographs(1, height, width))
    assert table.shape == (1, len(transformer.get_feature_names_out()))
    assert np.isfinite(table).all()


def test_an_odd_size_is_cropped_to_whole_blocks_from_the_top_left(transformer):
    X = photographs(1, 69, 79)
    np.testing.assert_array_equal(transformer.transform(X), transformer.transform(X[:, :64, :72]))


def test_channel_order_matters(transformer):
    X = photographs(2)
    assert np.abs(transformer.transform(X) - transformer.transform(X[..., ::-1])).max() > 0.1


def test_no_photographs_are_no_rows(transformer):
    assert transformer.transform(photographs(0)).shape == (0, len(transformer.get_feature_names_out()))


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 64, 64, 3), dtype=np.float32),
        np.zeros((64, 64, 3), dtype=np.uint8),
        np.zeros((2, 3, 64, 64), dtype=np.uint8),
        np.zeros((2, 64, 0, 3), dtype=np.uint8),
    ],
    ids=["float", "one photograph", "channels first", "no pixels"],
)
def test_what_is_no_photograph_is_refused(transformer, X):
    with pytest.raises(ValueError, match=r"uint8|must have pixels"):
        transformer.transform(X)


def test_families_come_in_the_order_asked_for_and_alone_as_together():
    X = photographs(2)
    names = ["colour", "dct"]
    both = ForensicFeatures(families=names).transform(X)
    alone = [ForensicFeatures(families=(name,)).transform(X) for name in names]
    np.testing.assert_array_equal(both, np.concatenate(alone, axis=1))


def test_parameters_are_kept_as_given():
    families = ["dct", "colour"]
    assert ForensicFeatures(families=families).get_params() == {"families": families}
    assert clone(ForensicFeatures(families=families)).get_params() == {"families": families}
    assert clone(LogDCT(cell=8)).get_params() == {"cell": 8}


@pytest.mark.parametrize("families", [["spectrum", "smell"], [], ["dct", "dct"], "dct"])
def test_wrong_families_are_refused_naming_the_known(families):
    with pytest.raises(ValueError, match=r"colour, dct, .*residuals, .*spectrum"):
        ForensicFeatures(families=families).fit(photographs(1))


@pytest.mark.parametrize("cell", [0, -4, 3, 512])
def test_wrong_cells_are_refused(cell):
    with pytest.raises(ValueError, match=f"power of two from 1 to 256, not {cell}"):
        LogDCT(cell=cell).fit(photographs(1))


def test_every_known_family_can_be_loaded():
    assert set(ForensicFeatures().families) <= set(known_families())
    for family in load_families(known_families()).values():
        assert len(set(family.columns)) == len(family.columns)


def test_works_as_a_step_of_a_pipeline():
    X, y = photographs(12), np.arange(12) % 2
    model = make_pipeline(ForensicFeatures(families=["colour"]), LogisticRegression()).fit(X, y)
    assert model.predict_proba(X).shape == (12, 2)
