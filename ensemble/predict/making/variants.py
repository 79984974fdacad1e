"""What becomes of photographs before somebody asks about them: the files on which error rates are measured."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble.store.results import AS_THEY_ARE
from ensemble.stress.robustness.alterations import ALTERATIONS, resized

Pixels = NDArray[np.uint8]  # (height, width, 3)


@dataclass(frozen=True)
class Variant:
    """One way in which photographs come.

    Attributes
    ----------
    guaranteed : bool
        Whether the limits of verdicts must hold their false-positive rates on it; of the others they are only measured.
    encode : callable
        From pixels of a training photograph to the bytes of a file.
    aligned : bool
        Whether the file has another size than training photographs have, so that the face must be found.
    """

    name: str
    title: str
    guaranteed: bool
    encode: Callable[[Pixels], bytes]
    aligned: bool = False


def _png(pixels: Pixels) -> bytes:
    return saved(pixels, "PNG", compress_level=1)


def saved(pixels: Pixels, kind: str, **options: int) -> bytes:
    """Return the bytes of a file of a kind that Pillow knows."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind, **options)
    return file.getvalue()


def _altered(name: str) -> Callable[[Pixels], bytes]:
    return lambda pixels: _png(ALTERATIONS[name](pixels))


def scaled(factor: float, quality: int) -> Callable[[Pixels], bytes]:
    """Return what resizes bicubically, and saves as JPEG."""

    def encode(pixels: Pixels) -> bytes:
        height, width = (round(side * factor) for side in pixels.shape[:2])
        return saved(resized(pixels, height, width), "JPEG", quality=quality, subsampling=0)

    return encode


def turned(factor: float, degrees: float, quality: int) -> Callable[[Pixels], bytes]:
    """Return what resizes, mirrors outward, turns counter-clockwise, and saves as JPEG."""

    def encode(pixels: Pixels) -> bytes:
        height, width = (round(side * factor) for side in pixels.shape[:2])
        larger = Image.fromarray(_mirrored(resized(pixels, height, width), height // 4))
        return saved(np.asarray(larger.rotate(degrees, Image.Resampling.BICUBIC)), "JPEG", quality=quality)

    return encode


def _mirrored(pixels: Pixels, border: int) -> Pixels:
    return np.pad(pixels, ((border, border), (border, border), (0, 0)), mode="reflect")


def _jpeg(quality: int) -> Callable[[Pixels], bytes]:
    return lambda pixels: saved(pixels, "JPEG", quality=quality)


VARIANTS: Final = (
    Variant(AS_THEY_ARE, "as they are", guaranteed=True, encode=_png),
    *(Variant(f"jpeg_{q}", f"saved again as JPEG {q}", guaranteed=True, encode=_jpeg(q)) for q in (95, 80, 65, 50)),
    Variant("webp_80", "saved as WebP 80", guaranteed=True, encode=lambda p: saved(p, "WEBP", quality=80)),
    Variant("resize_0.75", "resized to 3/4 and back", guaranteed=True, encode=_altered("resize_0.75")),
    Variant("resize_1.5", "resized to 3/2 and back", guaranteed=True, encode=_altered("resize_1.5")),
    Variant("screenshot", "screenshot at 5/4, JPEG 85", guaranteed=True, encode=scaled(1.25, 85), aligned=True),
    Variant("twice", "twice the size, JPEG 90", guaranteed=True, encode=scaled(2, 90), aligned=True),
    Variant("turned", "twice the size, turned by 10 degrees, JPEG 90", True, encode=turned(2, 10, 90), aligned=True),
    Variant("twice_50", "twice the size, JPEG 50", guaranteed=True, encode=scaled(2, 50), aligned=True),
    Variant("blur_1", "blurred by 1 px", guaranteed=False, encode=_altered("blur_1")),
    Variant("noise_5", "noise of 5 levels", guaranteed=False, encode=_altered("noise_5")),
)
# What the variants cover: of worse files nothing was tested.
LOWEST_QUALITY: Final = 50  # of JPEG
LARGEST_SCALE: Final = 1.05  # of a face: those of training photographs vary as much
LARGEST_ANGLE: Final = 12.0  # degrees: of faces turned by ten, as the landmarks show it
