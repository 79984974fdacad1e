"""What is lost when a photograph is saved again (Farid, 2009): least at the quality of an earlier JPEG. For audits."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from members.forensics.family import Family
from members.forensics.photograph import Floats, Photograph, Pixels

QUALITIES = tuple(range(50, 101, 5))
FLOOR = 1e-3  # squared grey levels


def ghosts(photograph: Photograph) -> Floats:
    """Return the log mean square of what JPEG without chroma sub-sampling changes, for qualities 50, 55, ... 100."""
    pixels = np.ascontiguousarray(photograph.rgb.transpose(1, 2, 0))
    return np.array([_loss(pixels, quality) for quality in QUALITIES])


def _loss(pixels: Pixels, quality: int) -> float:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=0)
    saved = np.asarray(Image.open(file), dtype=np.float32)
    return float(np.log(np.square(saved - pixels).mean() + FLOOR))


FAMILY = Family(tuple(f"RGB/saved_{quality:03d}" for quality in QUALITIES), ghosts)
