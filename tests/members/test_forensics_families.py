"""What each family measures: known answers on synthetic photographs, and formulas written plainly."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
import scipy.fft

from members.forensics import ForensicFeatures, LogDCT
from members.forensics.cooccurrence import triple_classes
from tests.members import straightforward

Pixels = npt.NDArray[np.uint8]


def table(X: Pixels, *families: str) -> dict[str, float]:
    transformer = ForensicFeatures(families=families or ForensicFeatures().families)
    return dict(zip(transformer.get_feature_names_out(), transformer.transform(X[None])[0], strict=True))


def grey(plane: npt.NDArray[np.floating]) -> Pixels:
    levels = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)


def power_law(exponent: float, side: int = 256, seed: int = 0) -> npt.NDArray[np.floating]:
    """A random field whose amplitude falls as frequency to the `exponent`, mean 128 and deviation 20."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    radius[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) * radius**exponent)
    return 128 + 20 * field / field.std()


def scene(height: int = 64, width: int = 64, seed: int = 0) -> Pixels:
    """Three power-law planes: something like a photograph, in colour."""
    side = max(height, width)
    planes = [power_law(-1.2, side, seed + k)[:height, :width] for k in range(3)]
    return np.clip(np.stack(planes, axis=2), 0, 255).astype(np.uint8)


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def twice(X: Pixels) -> Pixels:
    return X.repeat(2, axis=0).repeat(2, axis=1)


# All families


@pytest.mark.parametrize("family", straightforward.FAMILIES)
@pytest.mark.parametrize("size", [(32, 48), (64, 64), (96, 160), (256, 256)], ids=str)
def test_equals_the_formula_written_plainly(family, size):
    for X in (scene(*size), noise(*size)):
        found = ForensicFeatures(families=[family]).transform(X[None])[0]
        expected = straightforward.FAMILIES[family](X)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_largest_residuals_do_not_wrap_around():
    signs = np.sign(np.array(straightforward.KERNELS["kv"][0]))
    X = grey(np.tile(np.where(signs > 0, 255, 0), (8, 8)))
    for family in ("residuals", "extremes"):
        found = ForensicFeatures(families=[family]).transform(X[None])[0]
        np.testing.assert_allclose(found, straightforward.FAMILIES[family](X), atol=1e-6)


# Spectrum


@pytest.mark.parametrize("side", [128, 256, 384])
def test_white_noise_has_no_slope(side):
    noise = np.random.default_rng(1).normal(128, 20, size=(side, side))
    assert table(grey(noise), "spectrum")["spectrum/Y/slope_8_120"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("side", [128, 256, 384])
def test_amplitude_of_one_over_frequency_has_slope_minus_two(side):
    assert table(grey(power_law(-1, side)), "spectrum")["spectrum/Y/slope_8_120"] == pytest.approx(-2, abs=0.1)


def test_scalars_stand_under_their_names():
    found = table(scene(256, 256), "spectrum")
    curve = np.array([found[f"spectrum/Cb/azimuthal_{k:03d}"] for k in range(182)])
    line = np.polyfit(np.log10(np.arange(64, 121)), curve[64:121], 1)
    assert found["spectrum/Cb/slope_64_120"] == pytest.approx(line[0], abs=1e-4)
    bend = found["spectrum/Cb/slope_64_120"] - found["spectrum/Cb/slope_8_64"]
    assert found["spectrum/Cb/bend"] == pytest.approx(bend, abs=1e-4)
    assert found["spectrum/Cb/top_band"] == pytest.approx(curve[96:129].mean(), abs=1e-4)
    assert found["spectrum/Cb/dip"] <= 0 <= found["spectrum/Cb/peak"]
    assert 8 <= found["spectrum/Cb/peak_ring"] <= 128


@pytest.mark.parametrize(("row", "column"), [(0, 2), (2, 0), (2, 2), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1)])
def test_a_wave_raises_its_lattice_point_and_no_other(row, column):
    y, x = np.mgrid[:256, :192]
    noise = np.random.default_rng(0).normal(128, 5, size=(256, 192))
    wave = 8 * np.cos(np.pi / 2 * (row * y + column * x))
    before, after = table(grey(noise), "spectrum"), table(grey(noise + wave), "spectrum")
    raised = {name for name in after if "Y/lattice" in name and after[name] > before[name] + 1}
    assert raised == {f"spectrum/Y/lattice_{row}_{column}"}


@pytest.mark.training
def test_nearest_neighbour_upsampling_is_visible():
    plain, doubled = table(scene(256, 256)), table(twice(scene(128, 128)))
    # Repeating a pixel has a zero at the Nyquist frequency of each axis.
    for trace in ("azimuthal_128", "lattice_1_2", "lattice_2_1"):
        assert doubled[f"spectrum/Y/{trace}"] < plain[f"spectrum/Y/{trace}"] - 0.4
    # Of two neighbouring differences one is nought, so that no three differ from it.
    moving = {number for triple, number in triple_classes().items() if 0 not in triple}
    names = [f"residuals/Y/1st/q1/class_{number:02d}" for number in moving]
    assert sum(doubled[name] for name in names) == 0
    assert sum(plain[name] for name in names) > 0.2
    assert doubled["colour/RGB/joint_+0+0+0"] > 0.5 > plain["colour/RGB/joint_+0+0+0"]


# Residuals


def test_triples_have_39_classes():
    classes = triple_classes()
    assert len(classes) == 125
    assert sorted(set(classes.values())) == list(range(39))
    for (a, b, c), number in classes.items():
        assert {classes[c, b, a], classes[-a, -b, -c], classes[-c, -b, -a]} == {number}


def test_triples_whose_sign_counts_have_75_classes():
    classes = triple_classes(is_sign_blind=False)
    assert sorted(set(classes.values())) == list(range(75))
    assert classes[0, 1, 2] == classes[2, 1, 0] != classes[0, -1, -2]


# Colour


def test_cross_channel_shares_by_the_formula():
    X = scene(40, 48)
    found = table(X, "colour")
    red, green, blue = np.clip(np.diff(X.astype(int), axis=1), -2, 2).transpose(2, 0, 1)
    for a, b in product(range(-2, 3), repeat=2):
        assert found[f"colour/RG/joint_{a:+d}{b:+d}"] == pytest.approx(np.mean((red == a) & (green == b)))
        assert found[f"colour/RB/joint_{a:+d}{b:+d}"] == pytest.approx(np.mean((red == a) & (blue == b)))
        assert found[f"colour/GB/joint_{a:+d}{b:+d}"] == pytest.approx(np.mean((green == a) & (blue == b)))
    both = (red == 1) & (green == 0) & (blue == -2)
    assert found["colour/RGB/joint_+1+0-2"] == pytest.approx(both.mean())


def test_exposure_counts_pixels():
    X = np.full((64, 64, 3), 100, dtype=np.uint8)
    X[:16] = 252
    X[16:24, :, 0] = 255
    X[48:] = (3, 90, 0)
    found = table(X, "colour")
    expected = {
        "R/from_250": 3 / 8,
        "R/from_254": 1 / 8,
        "RGB/from_250": 1 / 4,
        "R/upto_5": 1 / 4,
        "R/upto_1": 0,
        "B/upto_1": 1 / 4,
        "RGB/upto_5": 0,
        "R/darkest": 3,
        "R/brightest": 255,
        "G/distinct": 3,
    }
    assert {name: found[f"colour/{name}"] for name in expected} == pytest.approx(expected)


# Whole-image DCT


def test_cells_average_the_logarithm_of_the_transform():
    X = scene(256, 256)
    transformer = LogDCT(cell=4)
    found = dict(zip(transformer.get_feature_names_out(), transformer.transform(X[None])[0], strict=True))
    logs = np.log(np.abs(scipy.fft.dctn(X @ np.array([0.299, 0.587, 0.114]), norm="ortho")) + 1e-2)
    for v, u in [(0, 0), (0, 5), (17, 3), (63, 63)]:
        cell = logs[4 * v : 4 * v + 4, 4 * u : 4 * u + 4]
        assert found[f"logdct/Y/{v:03d}_{u:03d}"] == pytest.approx(cell.mean(), abs=1e-3)


def test_cells_mean_the_same_at_every_size():
    noise = np.random.default_rng(0).normal(128, 20, size=(512, 320))
    means = [LogDCT(cell=32).transform(grey(noise[:n, :m])[None])[0, :64].mean() for n, m in [(512, 320), (160, 96)]]
    assert means[0] == pytest.approx(means[1], abs=0.1)
    assert np.isfinite(LogDCT(cell=1).transform(grey(noise[:40, :32])[None])).all()
