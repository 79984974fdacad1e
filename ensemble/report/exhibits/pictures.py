"""Photographs and spectra as data URIs: what members saw, in few bytes."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble.competition.images import Decoding, decode_one

MOST_BYTES = 30_000  # of one photograph: sixty of them stay below 3 MB in the page
SPECTRUM_SIDE = 128
_AS_IT_IS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SIDES = (1024, 512, 384, 256, 128)
_QUALITY, _SPECTRUM_QUALITY = 90, 75
_ORIENTATION = 0x0112  # EXIF's tag


@dataclass(frozen=True)
class Picture:
    """A photograph for the page.

    Attributes
    ----------
    uri : str
        A data URI, at most some 40 kB.
    pixels : uint8 (height, width, 3)
        What members saw.
    reduced : bool
        Whether the picture is smaller than the photograph.
    """

    uri: str
    pixels: NDArray[np.uint8]
    reduced: bool


def picture_of(content: bytes) -> Picture | None:
    """Return the file itself if it is small and a browser shows what members saw, else a WebP; None if unreadable."""
    pixels = decode_one(content, Decoding(convert_cmyk=True))
    if isinstance(pixels, str):
        return None
    kind = _media_type(content)
    if kind and len(content) <= MOST_BYTES:
        return Picture(_uri(kind, content), pixels, reduced=False)
    encoded, reduced = _small_enough(pixels)
    return Picture(_uri("image/webp", encoded), pixels, reduced)


def _media_type(content: bytes) -> str:
    """Return the media type of a file that browsers show as it is; empty if they would turn or recolour it."""
    with Image.open(BytesIO(content)) as image:
        turned = image.getexif().get(_ORIENTATION, 1) != 1
        plain = image.mode in ("RGB", "L") and not image.info.get("icc_profile") and "transparency" not in image.info
        return _AS_IT_IS.get(image.format or "", "") if plain and not turned else ""


def _small_enough(pixels: NDArray[np.uint8]) -> tuple[bytes, bool]:
    """Return the largest WebP picture that is small enough, or else the smallest, and whether it is reduced."""
    whole = Image.fromarray(pixels)
    for side in (max(whole.size), *(side for side in _SIDES if side < max(whole.size))):
        image = whole.copy()
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        encoded = _webp(image, _QUALITY)
        if len(encoded) <= MOST_BYTES:
            break
    return encoded, image.size != whole.size


def spectrum_picture(power: NDArray[np.float32], darkest: float, brightest: float) -> str:
    """Return a log10 power spectrum (height, width) as a grey picture between two values, as a data URI."""
    grey = np.clip((reduced_power(power) - darkest) / max(brightest - darkest, 1e-9), 0, 1)
    image = Image.fromarray(np.round(255 * grey).astype(np.uint8))
    return _uri("image/webp", _webp(image, _SPECTRUM_QUALITY))


def reduced_power(power: NDArray[np.float32]) -> NDArray[np.float64]:
    """Reduce a log10 spectrum to at most 128 px a side; power itself is averaged, so that a peak of one pixel stays."""
    step = max(-(-max(power.shape) // SPECTRUM_SIDE), 1)
    height, width = (length // step * step for length in power.shape)
    cells = 10.0 ** power[:height, :width].astype(np.float64)
    means: NDArray[np.float64] = cells.reshape(height // step, step, width // step, step).mean(axis=(1, 3))
    return np.log10(np.maximum(means, 1e-300))


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"
