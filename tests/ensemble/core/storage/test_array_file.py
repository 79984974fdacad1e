"""Arrays in files: indexed as NumPy's, never whole in memory, gone with their creator."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.core.errors import UserError
from ensemble.core.storage.array_file import ArrayFile

VALUES = np.random.default_rng(0).integers(0, 256, (600, 3, 2), dtype=np.uint8)


def stored(values: np.ndarray = VALUES) -> ArrayFile:
    array = ArrayFile.create(values.shape, values.dtype)
    for start in range(0, len(values), 70):
        array.write(start, values[start : start + 70])
    return array


ARRAY = stored()


@given(rows=st.lists(st.integers(-600, 599), max_size=40))
def test_rows_are_selected_as_of_numpy(rows: list[int]) -> None:
    numbers = np.array(rows, dtype=np.intp)
    np.testing.assert_array_equal(ARRAY[numbers], VALUES[numbers])
    np.testing.assert_array_equal(ARRAY.take(numbers)[...], VALUES[numbers])


@pytest.mark.parametrize(
    "rows", [5, -1, slice(10, 300), slice(None, None, 7), np.arange(600) % 3 == 0, slice(0, 0)], ids=str
)
def test_numbers_slices_and_masks(rows: object) -> None:
    np.testing.assert_array_equal(ARRAY[rows], VALUES[rows])  # type: ignore[call-overload]


def test_it_looks_like_an_array() -> None:
    assert (ARRAY.shape, ARRAY.ndim, ARRAY.dtype, len(ARRAY)) == ((600, 3, 2), 3, np.uint8, 600)
    np.testing.assert_array_equal(np.asarray(ARRAY), VALUES)
    np.testing.assert_array_equal(np.stack(list(ARRAY)), VALUES)
    with pytest.raises(IndexError):
        ARRAY[600]


def test_it_travels_as_a_path_and_its_file_ends_with_its_creator() -> None:
    array = stored(VALUES[:20])
    path, some = array._path, array.take(np.array([3, 1]))
    copy = pickle.loads(pickle.dumps(array))  # noqa: S301  our own
    np.testing.assert_array_equal(copy[4], VALUES[4])
    del copy
    gc.collect()
    assert path.exists(), "a copy does not own the file"
    del array
    gc.collect()
    np.testing.assert_array_equal(some[0], VALUES[3])
    del some
    gc.collect()
    assert not path.exists()


def test_no_room_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # other tests have files in the usual one
    with pytest.raises(UserError, match=r"has no room for .* GiB of photographs or their features .*; set TMPDIR"):
        ArrayFile.create((2**50,), np.uint8)
    assert not list(tmp_path.glob("ensemble-*.array"))
