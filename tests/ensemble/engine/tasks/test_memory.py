"""The peak of one piece of work is its own, whatever its process did before."""

from __future__ import annotations

import gc
import sys

import numpy as np
import pytest

from ensemble.engine.tasks.memory import peak_mib, reset_peak

MIB = 1024 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot forget a peak")
def test_a_peak_is_forgotten_and_measured_anew() -> None:
    gc.collect()  # what other tests have left, so that it does not go in between
    reset_peak()
    before = peak_mib()
    np.ones(300 * MIB, dtype=np.uint8)
    large = peak_mib()
    reset_peak()
    between = peak_mib()
    np.ones(50 * MIB, dtype=np.uint8)
    small = peak_mib()
    assert large - before == pytest.approx(300, abs=30)
    assert between < large - 200, "the first peak is forgotten"
    assert small - between == pytest.approx(50, abs=30)
