"""Alterations of photographs as on their way through the web: saved again, resized, blurred, cropped.

Every alteration is a function of one photograph's own pixels; its random numbers depend on no other photograph.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from ensemble.store.results import AS_THEY_ARE

Photograph = NDArray[np.uint8]  # (height, width, 3), RGB

_GRID = 8  # of JPEG
_OFF_THE_GRID = (3, 5)  # rows and columns: both odd, so that the grid of 4:2:0 colours of 16 pixels is left too
_SUBSAMPLING = {"4:4:4": 0, "4:2:0": 2}  # as Pillow counts them
_SCREEN = 1.25


@dataclass(frozen=True)
class Alteration:
    """One way to alter photographs.

    Attributes
    ----------
    title : str
        Its name in tables.
    family : str
        Alterations that differ only in their strength.
    imitates : str
        Where it happens, in plain words.
    alter : callable
        Takes and returns uint8 (height, width, 3): equal bytes for equal photographs, equal sizes for equal sizes.
    """

    title: str
    family: str
    imitates: str
    alter: Callable[[Photograph], Photograph]

    def __call__(self, photograph: Photograph) -> Photograph:
        """Return the altered photograph."""
        return self.alter(photograph)


def unchanged(photograph: Photograph) -> Photograph:
    """Return the photograph itself, with which the altered ones are compared."""
    return photograph


def jpeg(photograph: Photograph, quality: int, subsampling: str = "4:2:0") -> Photograph:
    """Save as JPEG and read again; `subsampling` is that of the colours."""
    return _saved(photograph, "JPEG", quality=quality, subsampling=_SUBSAMPLING[subsampling])


def webp(photograph: Photograph, quality: int) -> Photograph:
    """Save as lossy WebP and read again."""
    return _saved(photograph, "WEBP", quality=quality)


def there_and_back(photograph: Photograph, scale: float) -> Photograph:
    """Resize and resize back, both bicubic."""
    height, width = photograph.shape[:2]
    return resized(resized(photograph, round(height * scale), round(width * scale)), height, width)


def blur(photograph: Photograph, sigma: float) -> Photograph:
    """Blur every channel with a Gaussian; `sigma` in pixels."""
    return _rounded(gaussian_filter(photograph.astype(np.float64), (sigma, sigma, 0)))


def noise(photograph: Photograph, sigma: float) -> Photograph:
    """Add Gaussian noise of `sigma` levels to every channel, seeded by the photograph's own content."""
    seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(photograph).tobytes()).digest()[:8], "big")
    return _rounded(photograph + np.random.default_rng(seed).normal(0, sigma, photograph.shape))


def crop(photograph: Photograph, aligned: bool) -> Photograph:
    """Crop to seven eighths of each side (224 of 256 pixels), in the middle: on the 8 x 8 grid of JPEG, or off it."""
    sides = [max(side * 7 // 8 // _GRID * _GRID, 1) for side in photograph.shape[:2]]
    corner = [(have - want) // 2 // _GRID * _GRID for have, want in zip(photograph.shape, sides, strict=False)]
    moved = corner if aligned else [start + more for start, more in zip(corner, _OFF_THE_GRID, strict=True)]
    (top, left), (height, width) = moved, sides
    return photograph[top : top + height, left : left + width]


def flip(photograph: Photograph) -> Photograph:
    """Return the mirror image."""
    return photograph[:, ::-1]


def screenshot(photograph: Photograph) -> Photograph:
    """Enlarge by 1.25 as on a screen, capture without loss, and save as JPEG 85."""
    height, width = photograph.shape[:2]
    return jpeg(resized(photograph, round(height * _SCREEN), round(width * _SCREEN)), 85)


def resized(photograph: Photograph, height: int, width: int) -> Photograph:
    """Resize bicubically."""
    return np.asarray(Image.fromarray(photograph).resize((width, height), Image.Resampling.BICUBIC))


def _saved(photograph: Photograph, kind: str, **options: int) -> Photograph:
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, kind, **options)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _rounded(values: NDArray[np.float64]) -> Photograph:
    return values.round().clip(0, 255).astype(np.uint8)


def _all() -> dict[str, Alteration]:
    found = {AS_THEY_ARE: Alteration("as they are", "none", "the photographs as they were handed out", unchanged)}
    for quality in (95, 90, 80, 70, 60, 50):
        for subsampling, colours in (("4:2:0", "colours at half the size"), ("4:4:4", "colours at full size")):
            found[f"jpeg_{quality}_{subsampling.replace(':', '')}"] = Alteration(
                f"JPEG {quality}, {subsampling}",
                "jpeg",
                f"saved again by a program or a web page, {colours}",
                partial(jpeg, quality=quality, subsampling=subsampling),
            )
    for scale in (0.75, 0.9, 1.1, 1.5):
        how = (
            "made smaller for a page and enlarged again" if scale < 1 else "enlarged for a page and made smaller again"
        )
        alter = partial(there_and_back, scale=scale)
        found[f"resize_{scale}"] = Alteration(f"resize {scale} and back", "resize", how, alter)
    for sigma in (0.5, 1, 2):
        alter = partial(blur, sigma=sigma)
        found[f"blur_{sigma}"] = Alteration(f"blur {sigma} px", "blur", "out of focus, or smoothed by a filter", alter)
    for level in (2, 5):
        alter = partial(noise, sigma=level)
        found[f"noise_{level}"] = Alteration(
            f"noise {level}", "noise", "grain of little light, or added to hide", alter
        )
    return found | {
        "crop_aligned": Alteration(
            "crop 7/8, on the grid", "crop", "cut at the edges, by multiples of 8 pixels", partial(crop, aligned=True)
        ),
        "crop_unaligned": Alteration(
            "crop 7/8, off the grid", "crop", "cut at the edges, anywhere", partial(crop, aligned=False)
        ),
        "flip": Alteration("flip", "flip", "mirrored, as by a selfie camera", flip),
        "screenshot": Alteration(
            "screenshot", "screenshot", "shown at 1.25 times its size, captured, and sent on as JPEG 85", screenshot
        ),
        "webp_80": Alteration("WebP 80", "webp", "converted by a web page or a messenger", partial(webp, quality=80)),
    }


ALTERATIONS: dict[str, Alteration] = _all()
