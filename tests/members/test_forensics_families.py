"""What each family measures: known answers on synthetic photographs, and slow references to the letter of a formula."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
import scipy.fft
from scipy.signal import correlate2d

from members.forensics import ForensicFeatures, LogDCT
from members.forensics.families.residuals import triple_classes
from members.forensics.photograph import Photograph

Pixels = npt.NDArray[np.uint8]

# Straight from the table of kernels; the code under test never writes them down.
KERNELS = {
    "1st": ([[-1, 1]], 1),
    "2nd": ([[1, -2, 1]], 2),
    "3rd": ([[1, -3, 3, -1]], 3),
    "kb": ([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], 4),
    "kv": (
        [
            [-1, 2, -2, 2, -1],
            [2, -6, 8, -6, 2],
            [-2, 8, -12, 8, -2],
            [2, -6, 8, -6, 2],
            [-1, 2, -2, 2, -1],
        ],
        12,
    ),
}


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


def twice(X: Pixels) -> Pixels:
    return X.repeat(2, axis=0).repeat(2, axis=1)


# Spectrum


@pytest.mark.parametrize("side", [128, 256, 384])
def test_white_noise_has_no_slope(side):
    noise = np.random.default_rng(1).normal(128, 20, size=(side, side))
    assert table(grey(noise), "spectrum")["spectrum/Y/slope_8_120"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("side", [128, 256, 384])
def test_amplitude_of_one_over_frequency_has_slope_minus_two(side):
    assert table(grey(power_law(-1, side)), "spectrum")["spectrum/Y/slope_8_120"] == pytest.approx(-2, abs=0.1)


def test_azimuthal_average_of_the_whole_spectrum_by_the_formula():
    X = scene(128, 128)
    plane = X @ np.array([0.299, 0.587, 0.114])
    window = np.outer(np.hanning(128), np.hanning(128))
    amplitude = np.fft.fftshift(np.fft.fft2((plane - plane.mean()) * window))
    logs = np.log10(np.abs(amplitude) ** 2 / (window**2).sum() + 1e-8)
    v, u = np.mgrid[-64:64, -64:64]
    ring = np.floor(256 * np.hypot(v, u) / 128 + 0.5).astype(int)
    curve = {k: logs[ring == k].mean() for k in np.unique(ring)}
    level = np.interp(np.arange(4, 9), list(curve), list(curve.values())).mean()
    found = table(X, "spectrum")
    assert found["spectrum/Y/level"] == pytest.approx(level, abs=1e-4)
    for k, mean in curve.items():
        assert found[f"spectrum/Y/azimuthal_{k:03d}"] == pytest.approx(mean - level, abs=1e-4)


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


def test_lattice_peaks_of_the_whole_spectrum_by_the_formula():
    X = scene(96, 160)
    plane = X @ np.array([0.299, 0.587, 0.114])
    window = np.outer(np.hanning(96), np.hanning(160))
    power = np.abs(np.fft.fft2((plane - plane.mean()) * window)) ** 2
    found = table(X, "spectrum")
    for row, column in [(0, 2), (2, 0), (2, 2), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1)]:
        around = np.roll(power, (10 - row * 24, 10 - column * 40), axis=(0, 1))[:21, :21].copy()
        peak = around[8:13, 8:13].mean()
        around[8:13, 8:13] = np.nan
        expected = np.log10(peak / np.nanmedian(around))
        assert found[f"spectrum/Y/lattice_{row}_{column}"] == pytest.approx(expected, abs=1e-3)


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


# Block DCT


def test_betas_and_kurtosis_by_the_formula():
    X = scene(48, 64)
    cb = X @ np.array([-0.168736, -0.331264, 0.5])
    blocks = [cb[v : v + 8, u : u + 8] for v in range(0, 48, 8) for u in range(0, 64, 8)]
    coefficients = np.array([scipy.fft.dctn(block, norm="ortho") for block in blocks])
    found = table(X, "dct")
    # The beginning, a turn and the end of JPEG's zig-zag order.
    for k, (v, u) in {1: (0, 1), 2: (1, 0), 3: (2, 0), 5: (0, 2), 35: (7, 0), 63: (7, 7)}.items():
        a = coefficients[:, v, u]
        deviation = a - a.mean()
        kurtosis = (deviation**4).mean() / (deviation**2).mean() ** 2
        ml = np.abs(a - np.median(a)).mean()
        assert found[f"dct/Cb/beta_moment_{k:02d}"] == pytest.approx(np.log(a.std() / np.sqrt(2) + 1e-3), abs=1e-4)
        assert found[f"dct/Cb/beta_ml_{k:02d}"] == pytest.approx(np.log(ml + 1e-3), abs=1e-4)
        assert found[f"dct/Cb/kurtosis_{k:02d}"] == pytest.approx(np.log(kurtosis), abs=1e-3)


def test_a_mirrored_photograph_has_the_same_statistics():
    X = scene(256, 256)
    plain, mirrored = table(X), table(X[:, ::-1])
    same = [name for name in plain if "azimuthal" in name or name.startswith(("dct/", "residuals/"))]
    np.testing.assert_allclose([mirrored[n] for n in same], [plain[n] for n in same], atol=1e-4)


# Residuals


def test_triples_have_39_classes():
    classes = triple_classes()
    assert len(classes) == 125
    assert sorted(set(classes.values())) == list(range(39))
    for (a, b, c), number in classes.items():
        assert {classes[c, b, a], classes[-a, -b, -c], classes[-c, -b, -a]} == {number}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("q", [1, 2])
def test_cooccurrences_by_the_formula(kernel, q):
    X = scene(40, 48)
    found = table(X, "residuals")
    for channel, plane in zip(("Y", "Cb", "Cr"), Photograph(X).ycc_fine, strict=True):
        shares = slow_cooccurrences(plane[3:-3, 3:-3], kernel, q)
        names = [f"residuals/{channel}/{kernel}/q{q}/class_{k:02d}" for k in range(39)]
        np.testing.assert_allclose([found[name] for name in names], shares, rtol=1e-6)


def slow_cooccurrences(plane, kernel, q):
    taps, scale = np.array(KERNELS[kernel][0]), KERNELS[kernel][1]
    down, along = (rounded(correlate2d(plane / 4, t, mode="valid"), q * scale) for t in (taps.T, taps))
    counts = np.zeros(39)
    for z in (down.T, along):
        for row, column in product(range(z.shape[0]), range(z.shape[1] - 2)):
            counts[triple_classes()[tuple(z[row, column : column + 3])]] += 1
    return counts / counts.sum()


def rounded(residual, unit):
    return (np.sign(residual) * np.minimum(np.floor(np.abs(residual) / unit + 0.5), 2)).astype(int)


def test_the_largest_residuals_do_not_wrap_around():
    signs = np.sign(np.array(KERNELS["kv"][0]))
    X = grey(np.tile(np.where(signs > 0, 255, 0), (8, 8)))
    found = table(X, "residuals")
    shares = slow_cooccurrences(Photograph(X).ycc_fine[0][3:-3, 3:-3], "kv", 1)
    np.testing.assert_allclose([found[f"residuals/Y/kv/q1/class_{k:02d}"] for k in range(39)], shares, rtol=1e-6)


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


def test_residual_correlations_by_numpy():
    X = scene()
    found = table(X, "colour")
    red, _, blue = (
        correlate2d(plane, KERNELS["kb"][0], mode="valid").ravel() for plane in X.transpose(2, 0, 1).astype(int)
    )
    assert found["colour/RB/correlation"] == pytest.approx(np.corrcoef(red, blue)[0, 1], abs=1e-6)
    assert table(grey(X[..., 0]), "colour")["colour/RG/correlation"] == pytest.approx(1)
    assert table(grey(X[..., 0]), "colour")["colour/YCb/correlation"] == 0


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
