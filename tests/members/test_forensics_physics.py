"""The families on photographs whose history is known: doubled, mirrored, cropped, saved as JPEG."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from members.forensics import ForensicFeatures
from members.forensics.families.digits import first_digits
from members.forensics.family import known_families
from members.forensics.photograph import Photograph
from tests.members import straightforward

Pixels = npt.NDArray[np.uint8]


def table(X: Pixels, *families: str) -> dict[str, float]:
    transformer = ForensicFeatures(families=families)
    return dict(zip(transformer.get_feature_names_out(), transformer.transform(X[None])[0], strict=True))


def half_as_large(name: str) -> Pixels:
    """A real photograph, made smaller so that its own JPEG's grid is gone: (208, 256, 3)."""
    return np.asarray(Image.fromarray(load_sample_image(name)).reduce(2))[:208, :256]


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A busy one."""
    return half_as_large("china.jpg")


@pytest.fixture(scope="module")
def smooth() -> Pixels:
    """One with a blurred background, where blocks are seen."""
    return half_as_large("flower.jpg")


def saved(X: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(X).save(file, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(file))


def test_a_photograph_falls_as_photographs_do(photo):
    assert -3.5 < table(photo, "spectrum")["spectrum/Y/slope_8_120"] < -1.5


def test_nearest_neighbour_doubling_leaves_no_difference_within_cells(photo):
    doubled = photo.repeat(2, axis=0).repeat(2, axis=1)
    plain, found = table(photo, "neighbours"), table(doubled, "neighbours")
    for kind in ("horizontal", "vertical", "diagonal"):
        assert found[f"neighbours/G/{kind}_equal"] == 1
        assert plain[f"neighbours/G/{kind}_equal"] < 0.4
    assert found["neighbours/G/lattice_rows"] < -8
    assert abs(plain["neighbours/G/lattice_rows"]) < 0.2


def test_the_lattice_ratio_turns_its_sign_with_a_crop_by_one_column(photo):
    blurred_cells = photo.astype(np.int64)
    blurred_cells[:, 1::2] = (blurred_cells[:, 1::2] + blurred_cells[:, ::2]) // 2
    X = blurred_cells.astype(np.uint8)
    aligned, moved = table(X[:200, :248], "neighbours"), table(X[:200, 1:249], "neighbours")
    assert aligned["neighbours/R/lattice_rows"] < -0.3
    assert moved["neighbours/R/lattice_rows"] == pytest.approx(-aligned["neighbours/R/lattice_rows"], abs=0.02)


@pytest.mark.parametrize("family", ["spectrum", "dct", "residuals", "extremes", "digits", "neighbours", "wavelets"])
def test_a_mirrored_photograph_has_the_same_statistics(photo, family):
    plain, mirrored = table(photo, family), table(photo[:, ::-1], family)
    asymmetric = ("sector", "lattice_1_1", "scale_")  # diagonals, and wavelets that are not even
    same = [name for name in plain if not any(part in name for part in asymmetric)]
    np.testing.assert_allclose([mirrored[n] for n in same], [plain[n] for n in same], atol=1e-4)


def test_the_grid_of_an_earlier_jpeg_moves_with_a_crop(smooth):
    X = saved(smooth, 75)
    aligned, cropped = table(X, "jpeg_grid"), table(X[3:, 5:], "jpeg_grid")
    assert aligned["jpeg_grid/Y/rows_strongest"] == aligned["jpeg_grid/Y/columns_strongest"] == 7
    assert cropped["jpeg_grid/Y/rows_strongest"] == 7 - 5
    assert cropped["jpeg_grid/Y/columns_strongest"] == 7 - 3
    assert aligned["jpeg_grid/Y/rows_phase_7"] > 1.2 > table(smooth, "jpeg_grid")["jpeg_grid/Y/rows_phase_7"]


def test_the_grid_stands_out_of_the_coefficients(smooth):
    def contrast(X: Pixels) -> float:
        found = table(X, "jpeg_grid")
        return max(abs(found[f"jpeg_grid/Y/contrast_{k:02d}"]) for k in range(1, 64))

    assert contrast(saved(smooth, 60)) > 1 > 0.5 > contrast(smooth)


def test_subsampled_chroma_is_empty_at_high_frequencies(photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=95, subsampling=2)
    subsampled = np.asarray(Image.open(file))
    name = "jpeg_grid/Cb/fine_chroma"
    assert table(subsampled, "jpeg_grid")[name] < table(saved(photo, 95), "jpeg_grid")[name] - 0.5


@pytest.mark.parametrize("quality", [60, 75, 85, 95])
def test_the_least_ghost_is_at_the_earlier_quality(photo, quality):
    found = table(saved(photo, quality), "jpeg_ghosts")
    assert min(found, key=lambda name: found[name]) == f"jpeg_ghosts/RGB/saved_{quality:03d}"


def test_letter_boxes_flat_and_tiny_photographs_are_flagged(photo):
    boxed = photo.copy()
    boxed[:52] = boxed[-52:] = 0
    assert table(boxed, "flags")["flags/letter_box_share"] == pytest.approx(0.5)
    assert table(boxed, "flags")["flags/flat_share"] == pytest.approx(0.46, abs=0.04)
    assert table(photo, "flags")["flags/letter_box_share"] == 0
    assert table(np.full((64, 64, 3), 9, np.uint8), "flags")["flags/flat_share"] == 1
    assert table(photo[:20, :40], "flags")["flags/mirrored_outward"] == 1
    assert table(photo[:32, :40], "flags")["flags/mirrored_outward"] == 0


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (20, 300)])
def test_tiny_photographs_are_mirrored_outward(photo, size):
    tiny = photo[: size[0], : size[1]]
    height, width = (max(0, 32 - side) for side in tiny.shape[:2])
    mirrored = np.pad(tiny, [(0, height), (0, width), (0, 0)], mode="symmetric")
    families = [name for name in known_families() if name != "flags"]
    found = np.array(list(table(tiny, *families).values()))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, list(table(mirrored, *families).values()))


@pytest.mark.parametrize("size", [(96, 160), (33, 500), (64, 64)], ids=str)
def test_flat_photographs_are_alike_but_for_their_colour(size):
    families = ["spectrum", "dct", "phase", "residuals", "extremes", "neighbours"]
    tables = [
        list(table(np.full((*size, 3), colour, np.uint8), *families).values())
        for colour in (0, 128, 255, (10, 200, 30), (77, 3, 250))
    ]
    np.testing.assert_allclose(tables, np.tile(tables[0], (len(tables), 1)), atol=0.02)


def test_phases_of_a_doubled_photograph_are_not_those_of_rounding(photo):
    X = photo[:104, :128].repeat(2, axis=0).repeat(2, axis=1)
    found, expected = ForensicFeatures(families=["phase"]).transform(X[None])[0], straightforward.phase(X)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_orientation_tells_rows_from_columns():
    y, x = np.mgrid[:128, :128]
    noise = np.random.default_rng(0).normal(0, 2, (128, 128))
    for wave, sector in ((x, 0), (x + y, 2), (y, 4), (x - y, 6)):
        plane = np.clip(128 + 40 * np.sin(2 * np.pi * wave * 0.2) + noise, 0, 255).astype(np.uint8)
        found = table(np.repeat(plane[:, :, None], 3, axis=2), "spectrum")
        sectors = {name: value for name, value in found.items() if "sector" in name}
        assert max(sectors, key=lambda name: sectors[name]).endswith(f"sector_{sector}")


def test_digits_of_a_wide_spread_are_benfords():
    """Coefficients that are spread evenly over decades, on a logarithmic scale, have first digits by Benford's law."""
    rng = np.random.default_rng(0)
    coefficients = rng.choice([-1, 1], (1024, 9)) * 10 ** rng.uniform(1, 3, (1024, 9))
    photograph = Photograph(np.zeros((256, 256, 3), np.uint8))
    photograph.__dict__["block_dct"] = np.zeros((3, 63, 1024), np.float32)
    photograph.block_dct[0, :9] = coefficients.T
    scale, shift, power, *_ = np.median(first_digits(photograph)[:45].reshape(9, 5), axis=0)
    assert (scale, shift, power) == pytest.approx((1, 0, 1), abs=0.3)
    assert np.abs(first_digits(photograph)[:45].reshape(9, 5)[:, 4]).max() < 0.05


def test_haar_packets_name_their_path():
    columns = np.tile([90, 110], 64)
    X = np.repeat(np.tile(columns, (128, 1))[:, :, None], 3, axis=2).astype(np.uint8)
    found = table(X, "wavelets")
    strong = {name for name, value in found.items() if name.startswith("wavelets/Y/") and "_mean" in name and value > 0}
    assert strong == {"wavelets/Y/aaa_aaa_mean", "wavelets/Y/aaa_daa_mean"}


def test_white_noise_has_normal_tails_and_shape():
    noise = np.random.default_rng(0).normal(128, 20, (256, 256))
    X = np.repeat(np.rint(noise).clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    found = table(X, "wavelets", "dct", "phase")
    assert found["wavelets/Y/scale_1_diagonal_shape"] == pytest.approx(2, abs=0.15)
    assert found["wavelets/Y/scale_1_diagonal_kurtosis"] == pytest.approx(np.log(3), abs=0.05)
    assert found["wavelets/Y/scale_1_diagonal_parent"] == pytest.approx(0, abs=0.05)
    assert found["dct/Y/kurtosis_20"] == pytest.approx(np.log(3), abs=0.3)
    local = [value for name, value in found.items() if "local_" in name]
    assert max(local) < 3 / 256
