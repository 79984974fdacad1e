"""Spectra to look at agree with a plain two-dimensional FFT, and with the family that members learn from."""

from __future__ import annotations

import numpy as np
import pytest

from members.forensics import ForensicFeatures, Spectra
from members.forensics.photograph import Photograph


@pytest.mark.parametrize("shape", [(64, 96, 3), (48, 48, 3)])
def test_the_picture_is_that_of_a_plain_transform(shape: tuple[int, int, int]) -> None:
    photograph = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    luminance = Photograph(photograph).ycc[0]
    window = np.outer(np.hanning(shape[0]), np.hanning(shape[1]))
    window /= np.sqrt((window**2).sum())
    power = np.abs(np.fft.fft2((luminance - luminance.mean()) * window)) ** 2
    found = Spectra().picture(photograph)
    assert found.shape == shape[:2]
    np.testing.assert_allclose(found, np.fft.fftshift(np.log10(power + 1e-8)), atol=1e-3)


def test_the_curves_are_those_of_the_family() -> None:
    photographs = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    family = ForensicFeatures(families=["spectrum"])
    wanted = [f"spectrum/{c}/azimuthal_{ring:03d}" for c in ("Y", "Cb", "Cr") for ring in range(129)]
    columns = [list(family.get_feature_names_out()).index(name) for name in wanted]
    np.testing.assert_allclose(Spectra().transform(photographs), family.transform(photographs)[:, columns], atol=1e-5)
    assert len(Spectra().frequencies) * 3 == len(Spectra().get_feature_names_out())
    assert Spectra().frequencies[-1] == 0.5
