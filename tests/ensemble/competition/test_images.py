from __future__ import annotations

import numpy as np
import pytest

from ensemble.competition.images import RowView

ARRAY = np.arange(5 * 2 * 2 * 3, dtype=np.uint8).reshape(5, 2, 2, 3)
ROWS = np.array([4, 0, 2])


def test_a_view_is_its_rows() -> None:
    view = RowView(ARRAY, ROWS)
    assert (len(view), view.shape, view.dtype, view.ndim) == (3, (3, 2, 2, 3), np.uint8, 4)
    np.testing.assert_array_equal(np.asarray(view), ARRAY[ROWS])
    np.testing.assert_array_equal(view[np.array([2, 0])], ARRAY[[2, 4]])
    np.testing.assert_array_equal(view[1], ARRAY[0])
    np.testing.assert_array_equal(view[:2], ARRAY[[4, 0]])
    np.testing.assert_array_equal(list(view), ARRAY[ROWS])


def test_a_view_cannot_pretend_not_to_copy() -> None:
    with pytest.raises(ValueError, match="copy"):
        np.asarray(RowView(ARRAY, ROWS), copy=False)
