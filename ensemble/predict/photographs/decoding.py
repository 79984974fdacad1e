"""One photograph from its bytes, which anybody may have sent: its pixels and facts, or why it cannot be used."""

from __future__ import annotations

import ctypes
import logging
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, WebPImagePlugin, _imaging  # noqa: F401  registers their formats

from ensemble.competition.images import Decoding, decode_one
from ensemble.competition.kinds import mistaken_for
from ensemble.competition.quality import jpeg_quality
from ensemble.predict.photographs.bare import FORMATS, TOO_MANY_PIECES, UNREADABLE, Bare, bare, orientation_of

MOST_BYTES: Final = 64 * 2**20
MOST_PIXELS: Final = 50_000_000  # photographs of today's phones; decoding more takes seconds
_SMALLEST: Final = 16  # pixels a side
_MOST_READS: Final = 2**18
_MOST_SCANNED: Final = 16 * MOST_PIXELS  # pixels of all scans of a progressive JPEG; usual are 10 scans
_TOO_LARGE: Final = f"more than {MOST_PIXELS // 10**6} megapixels"

_TURNED: Final = {  # EXIF orientation: quarter turns counter-clockwise, then whether it is mirrored left to right
    2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False),
}  # fmt: skip

logging.getLogger("PIL").addHandler(logging.NullHandler())  # or errors would go to stderr
with suppress(OSError, AttributeError):  # the decoder of TIFF writes there by itself; as it does where it is built in
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph.

    Attributes
    ----------
    pixels : uint8 (height, width, 3)
        RGB, as stored; those of TIFF are upright.
    format : str
        JPEG, PNG and so on.
    quality : float
        Of JPEG, 1 to 100; NaN for others.
    orientation : int
        Of EXIF, 1 to 8: 1 is upright.
    """

    pixels: NDArray[np.uint8]
    format: str
    quality: float
    orientation: int

    @property
    def upright(self) -> NDArray[np.uint8]:
        """Return the pixels as EXIF says that they are to be shown; none is changed."""
        turns, mirrored = _TURNED.get(self.orientation, (0, False))
        turned = np.rot90(self.pixels, turns)
        return turned[:, ::-1] if mirrored else turned


class _Reader(BytesIO):
    """File that a decoder may read a limited number of times, since files can be made to be read byte by byte."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MOST_READS:
            raise RuntimeError(TOO_MANY_PIECES)
        return super().read(size)


def decode(content: bytes) -> Photograph | str:
    """Return a photograph, or in a few words why it cannot be used."""
    if len(content) > MOST_BYTES:
        return f"larger than {MOST_BYTES // 2**20} MiB"
    stripped = bare(content)
    if isinstance(stripped, str):
        return stripped
    facts = _facts(stripped)
    if isinstance(facts, str):
        return facts
    pixels = decode_one(stripped.content, Decoding(), _opened)
    if isinstance(pixels, str):
        return pixels
    return _see_through(stripped.content) or Photograph(pixels, **facts)


def _see_through(content: bytes) -> str:
    """Return what is to be said of a picture with a pixel that is not opaque; empty of others."""
    try:
        with _opened(content) as image:
            may_be = image.mode.endswith(("A", "a")) or "transparency" in image.info
            if may_be and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
                return "partly transparent: people see other pixels than the models would"
    except Exception:  # what decoders raise on damaged bytes is no closed list
        return UNREADABLE
    return ""


def _opened(content: bytes) -> Image.Image:
    return Image.open(_Reader(content), formats=FORMATS)


def _facts(photograph: Bare) -> dict[str, Any] | str:
    """Return format, quality and orientation from the header; or a fault that shows there."""
    try:
        with _opened(photograph.content) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                return _TOO_LARGE
            if min(width, height) < _SMALLEST:
                return f"{width} x {height} pixels, too small"
            if width * height * photograph.scans > _MOST_SCANNED:
                return TOO_MANY_PIECES
            if image.mode == "CMYK":
                return "CMYK, for printing"
            if image.format == "TIFF" and image.info.get("compression") in ("jpeg", "tiff_jpeg"):
                return "a JPEG in a TIFF, which was not tested"
            quality = jpeg_quality(getattr(image, "quantization", None) or {})
            orientation = photograph.orientation or orientation_of(image.info.get("exif", b""))
            return {"format": image.format, "quality": quality, "orientation": orientation}
    except Image.DecompressionBombError:
        return _TOO_LARGE
    except Exception:  # what decoders raise on damaged bytes is no closed list
        return mistaken_for(photograph.content) or UNREADABLE
