"""The peak of one piece of work is its own, whatever its process did before."""

from __future__ import annotations

import mmap
import sys

import pytest

from ensemble.engine.tasks.memory import peak_mib, reset_peak

MIB = 1024 * 1024


def touch(mib: int) -> None:
    """Hold fresh memory for a moment. An array may be given what the process has, after others have freed it."""
    with mmap.mmap(-1, mib * MIB) as memory:
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1


@pytest.mark.training
@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot forget a peak")
def test_a_peak_is_forgotten_and_measured_anew() -> None:
    reset_peak()
    before = peak_mib()
    touch(300)
    large = peak_mib()
    reset_peak()
    between = peak_mib()
    touch(50)
    small = peak_mib()
    assert large - before == pytest.approx(300, abs=30)
    assert between < large - 200, "the first peak is forgotten"
    assert small - between == pytest.approx(50, abs=30)
