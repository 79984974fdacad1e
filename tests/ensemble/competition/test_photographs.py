"""Photographs of every kind that people hand out: what is lossless just works, and the rest is named."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ensemble.competition.images import Decoding, decode
from tests.competitions import photograph
from tests.ensemble.predict.photographs.hostile import png

COLOUR = photograph(0, False)
AS_USUAL = Decoding()
GREY = np.repeat(COLOUR[..., :1], 3, axis=2)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(content: bytes, how: Decoding = AS_USUAL) -> tuple[NDArray[np.uint8], str | None]:
    found = decode([encoded(Image.fromarray(COLOUR)), encoded(Image.fromarray(COLOUR)), content], how)
    return found.pixels[2], found.faults[2]


PALETTE = Image.fromarray(COLOUR).quantize(16)
BLACK_AND_WHITE = Image.fromarray(COLOUR[..., 0]).point(lambda value: 255 * (value > 128)).convert("1")
COMMENT = {"pnginfo": None, "icc_profile": bytes(range(256)) * 4700}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(Image.fromarray(COLOUR)), COLOUR),
        (encoded(Image.fromarray(COLOUR[..., 0])), GREY),
        (encoded(Image.fromarray(np.dstack([COLOUR, COLOUR[..., 0]]))), COLOUR),
        (encoded(PALETTE), np.asarray(PALETTE.convert("RGB"))),
        (encoded(PALETTE, "GIF"), np.asarray(PALETTE.convert("RGB"))),
        (encoded(PALETTE, transparency=3), np.asarray(PALETTE.convert("RGB"))),
        (encoded(BLACK_AND_WHITE), np.asarray(BLACK_AND_WHITE.convert("RGB"))),
        (encoded(Image.fromarray(COLOUR), **COMMENT), COLOUR),
        (encoded(Image.fromarray(COLOUR), "BMP"), COLOUR),
        (encoded(Image.fromarray(COLOUR), "WEBP", lossless=True), COLOUR),
        (encoded(Image.fromarray(COLOUR), "TIFF"), COLOUR),
    ],
    ids=[
        "RGB",
        "grey",
        "RGBA",
        "palette",
        "GIF",
        "transparent palette",
        "1 bit",
        "large profile",
        "BMP",
        "WebP",
        "TIFF",
    ],
)
def test_what_is_lossless_just_works(content: bytes, expected: NDArray[np.uint8]) -> None:
    pixels, fault = decoded(content)
    assert fault is None
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("seed", range(5))
def test_a_jpeg_may_lack_its_end_marker_and_nothing_more(seed: int) -> None:
    whole = encoded(Image.fromarray(photograph(seed, False)), "JPEG", quality=90)
    expected = np.asarray(Image.open(io.BytesIO(whole)))
    pixels, fault = decoded(whole[:-2])
    assert fault is None
    np.testing.assert_array_equal(pixels, expected)
    np.testing.assert_array_equal(decoded(whole[:-1])[0], expected)
    for missing in (*range(4, 40), 100, 300):
        assert decoded(whole[:-missing])[1] == "unreadable or truncated photograph"


@pytest.mark.training
def test_of_a_progressive_jpeg_whole_scans_could_be_missing() -> None:
    whole = encoded(Image.fromarray(COLOUR), "JPEG", progressive=True)
    assert decoded(whole)[1] is None
    for missing in range(2, 200):
        assert decoded(whole[:-missing])[1] == "unreadable or truncated photograph"


def test_cmyk_only_by_request() -> None:
    content = encoded(Image.fromarray(COLOUR).convert("CMYK"), "JPEG")
    assert "data.convert_cmyk" in str(decoded(content)[1])
    pixels, fault = decoded(content, Decoding(convert_cmyk=True))
    assert fault is None
    assert np.abs(pixels.astype(int) - COLOUR).mean() < 20


def animation() -> bytes:
    frames = [Image.fromarray(photograph(seed, True)) for seed in (1, 2)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def on_its_side(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(photograph(0, False, 40)[:24]), "JPEG", exif=exif)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>404</html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"no photograph", "unreadable or truncated"),
        (encoded(Image.fromarray(COLOUR))[:300], "unreadable or truncated"),
        (png(32, 32, 16, 2), "not three 8-bit channels"),
        (encoded(Image.new("I;16", (32, 32))), "not three 8-bit channels"),
        (animation(), "an animation"),
        (encoded(Image.fromarray(photograph(0, False, 40))), "another size than 32 x 32"),
    ],
)
def test_what_is_no_photograph_is_named(content: bytes, fault: str) -> None:
    pixels, found = decoded(content)
    assert fault in str(found)
    assert not pixels.any()


def test_a_photograph_on_its_side_is_named_as_such() -> None:
    upright = encoded(Image.fromarray(photograph(0, False, 40)[:, :24]))
    for orientation in (5, 6, 7, 8):
        fault = str(decode([upright, upright, on_its_side(orientation)]).faults[2])
        assert f"EXIF orientation {orientation}" in fault
        assert "crop" not in fault
    assert "crop" in str(decode([upright, upright, on_its_side(1)]).faults[2])
