from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ensemble.competition.images import decode as decode_many
from ensemble.competition.images import decode_one
from ensemble.predict.photographs.decoding import Photograph, decode
from tests.ensemble.predict.photographs.hostile import chunk, exif, hostile_files, png, saved, scene, segment


def decoded(content: bytes) -> Photograph:
    photograph = decode(content)
    assert isinstance(photograph, Photograph), photograph
    return photograph


def _jpeg(orientation: int) -> bytes:
    content = saved(scene(40, 24), "JPEG")
    return content[:2] + segment(0xE1, exif(orientation, ">")) + content[2:]


def _png(orientation: int) -> bytes:
    return png(40, 24, 8, 2, before=chunk(b"eXIf", exif(orientation)[6:]))


def _webp(orientation: int) -> bytes:
    return saved(scene(40, 24), "WEBP", exif=exif(orientation), lossless=True)


def _tiff(orientation: int) -> bytes:
    return saved(scene(40, 24), "TIFF", tiffinfo={274: orientation})


@pytest.mark.parametrize("make", [_jpeg, _png, _webp, _tiff])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_its_orientation_says(make: Callable[[int], bytes], orientation: int) -> None:
    content = make(orientation)
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(decoded(content).upright, expected)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_an_orientation_that_does_not_exist_is_upright(orientation: int) -> None:
    photograph = decoded(_jpeg(orientation))
    assert photograph.orientation == 1
    assert photograph.upright.shape == (24, 40, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG"])
def test_pixels_are_those_of_training(mode: str, kind: str) -> None:
    if (kind == "BMP" and mode == "LA") or (kind == "JPEG" and mode in ("LA", "P", "RGBA")):
        pytest.skip("there is no such file")
    content = saved(scene(mode=mode), kind)
    expected = decode_many([content])
    assert expected.faults == [None]
    np.testing.assert_array_equal(decoded(content).pixels, expected.pixels[np.array([0])][0])


@pytest.mark.training
@pytest.mark.filterwarnings("ignore")  # of the decoder of training
def test_metadata_change_no_pixel() -> None:
    """Whatever is left out of a file before it is decoded."""
    compared = 0
    for file in hostile_files(large=False):
        mine = decode(file.content)
        other: NDArray[np.uint8] | str = decode_one(file.content)
        if isinstance(mine, Photograph) and not isinstance(other, str):
            np.testing.assert_array_equal(mine.pixels, other, err_msg=file.name)
            compared += 1
    assert compared > 200


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_quality_of_a_jpeg_is_found(mode: str, progressive: bool) -> None:
    image = scene(mode=mode)
    for quality in range(5, 101):
        content = saved(image, "JPEG", quality=quality, progressive=progressive)
        assert decoded(content).quality == quality


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_other_formats_have_no_quality(kind: str) -> None:
    photograph = decoded(saved(scene(), kind))
    assert photograph.format == kind
    assert math.isnan(photograph.quality)
    assert photograph.orientation == 1


def test_a_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    content = saved(scene(), "MPO", save_all=True, append_images=[scene(seed=1)])
    photograph = decoded(content)
    assert photograph.format == "JPEG"
    assert 1 <= photograph.quality <= 100


@pytest.mark.parametrize("width", [16, 32, 160, 316, 720])
def test_a_width_is_not_taken_for_a_depth(width: int) -> None:
    """Where a row takes 16 bytes, or 2160, or where 16 is the transparent colour."""
    for kind, mode in (("BMP", "L"), ("BMP", "RGB"), ("BMP", "P"), ("TIFF", "RGB")):
        decoded(saved(scene(width, 16, mode), kind))
    see_through = decode(saved(scene(width, 16, "P"), "GIF", transparency=16))
    assert isinstance(see_through, Photograph) or "partly transparent" in see_through


@pytest.mark.training
def test_threads_leave_warnings_as_they_are() -> None:
    contents = [file.content for file in hostile_files(large=False)][:200]
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decode, contents))
    assert list(warnings.filters) == before


def test_what_is_see_through_is_not_judged() -> None:
    colours = scene().split()
    for alpha in (0, 254):
        image = Image.merge("RGBA", [*colours, Image.new("L", (32, 32), alpha)])
        assert "transparent" in str(decode(saved(image, "PNG")))
    opaque = Image.merge("RGBA", [*colours, Image.new("L", (32, 32), 255)])
    assert isinstance(decode(saved(opaque, "PNG")), Photograph)


def test_a_jpeg_in_a_tiff_has_no_verdict() -> None:
    """Its quality cannot be seen, and low ones were not measured."""
    assert "a JPEG in a TIFF" in str(decode(saved(scene(), "TIFF", compression="jpeg", quality=10)))
