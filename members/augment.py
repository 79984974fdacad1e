"""What a training photograph may look like besides as it was stored. Every choice is blind to the class.

Nothing here resizes, crops, rotates or shears: interpolation erases the traces that tell a camera from a generator.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2 as untyped_v2

Augmentation = Callable[[torch.Tensor], torch.Tensor]

v2: Any = untyped_v2  # it re-exports its transforms in a way that type checkers do not see

_JPEG_QUALITY = (60, 100)
_BLUR_SIGMA = (0.01, 1.0)  # pixels; torchvision wants more than zero
_BLUR_KERNEL = 7  # 3 sigma to each side of the widest blur
_SELDOM = 0.1  # more harms where the test photographs are as clean as the training ones


def _jpeg(photograph: torch.Tensor) -> torch.Tensor:
    """Store a photograph as JPEG and read it back. Pillow does it: torchvision gives up its codecs."""
    lowest, highest = _JPEG_QUALITY
    quality = int(torch.randint(lowest, highest + 1, ()))
    file = io.BytesIO()
    Image.fromarray(photograph.permute(1, 2, 0).cpu().numpy()).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).to(photograph.device)


def _light() -> list[Any]:
    return [
        v2.RandomHorizontalFlip(0.5),
        v2.RandomApply([v2.GaussianBlur(_BLUR_KERNEL, _BLUR_SIGMA)], p=_SELDOM),
        v2.RandomApply([_jpeg], p=_SELDOM),  # last, as a camera or a website would
    ]


# A new strength is a new line here: a list of torchvision v2 transforms of one uint8 (3, height, width) photograph.
AUGMENTATIONS: Final[dict[str, Callable[[], list[Any]]]] = {
    "none": list,
    "flip": lambda: [v2.RandomHorizontalFlip(0.5)],
    "light": _light,
}


def augmentation(strength: str) -> Augmentation:
    """Return the function that alters a batch, uint8 (n, height, width, 3), each photograph by itself.

    Its randomness is torch's global generator; callers seed it.
    """
    transforms = AUGMENTATIONS[strength]()
    if not transforms:
        return lambda photographs: photographs
    alter = v2.Compose(transforms)

    def alter_batch(photographs: torch.Tensor) -> torch.Tensor:
        altered = [alter(photograph.permute(2, 0, 1)).permute(1, 2, 0) for photograph in photographs]
        return torch.stack(altered)

    return alter_batch
