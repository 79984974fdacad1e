"""Augmentations of training photographs. None depends on the class.

Only "heavy" interpolates, since interpolation erases the traces that distinguish a camera from a generator; nothing
rotates or shears.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2 as untyped_v2

from members.crops import GRID

Augmentation = Callable[[torch.Tensor], torch.Tensor]

v2: Any = untyped_v2  # it re-exports its transforms in a way that type checkers do not see


@dataclass(frozen=True)
class Sometimes:
    """Alters a share of the photographs of a batch, uint8 (n, 3, height, width), each by its own draw."""

    share: float
    alter: Callable[[torch.Tensor], torch.Tensor]

    def __call__(self, photographs: torch.Tensor) -> torch.Tensor:
        """Return the batch with some photographs altered; the others are unchanged."""
        chosen = torch.nonzero(torch.rand(len(photographs)) < self.share).flatten().tolist()
        if not chosen:
            return photographs
        altered = photographs.clone()
        for index in chosen:
            altered[index] = self.alter(photographs[index])
        return altered


@dataclass(frozen=True)
class JPEG:
    """Stores a photograph as JPEG and reads it back. By Pillow: torchvision deprecates its codecs."""

    quality: tuple[int, int]

    def __call__(self, photograph: torch.Tensor) -> torch.Tensor:
        """Return uint8 (3, height, width)."""
        lowest, highest = self.quality
        file = io.BytesIO()
        image = Image.fromarray(photograph.permute(1, 2, 0).cpu().numpy())
        image.save(file, "JPEG", quality=int(torch.randint(lowest, highest + 1, ())))
        return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).to(photograph.device)


@dataclass(frozen=True)
class ThereAndBack:
    """Resizes a photograph by a random scale, and back to its size, as a website and its reader would."""

    scale: tuple[float, float]

    def __call__(self, photograph: torch.Tensor) -> torch.Tensor:
        """Return uint8 (3, height, width)."""
        smallest, largest = self.scale
        scale = float(torch.empty(()).uniform_(smallest, largest))
        size = [max(1, round(side * scale)) for side in photograph.shape[1:]]
        there = v2.functional.resize(photograph, size, antialias=True)
        back: torch.Tensor = v2.functional.resize(there, list(photograph.shape[1:]), antialias=True)
        return back


def _blur(largest_sigma: float) -> Any:
    kernel = 2 * round(3 * largest_sigma) + 1  # three sigma to each side of the widest blur
    return v2.GaussianBlur(kernel, (0.01, largest_sigma))  # pixels; torchvision requires more than zero


_FLIP: Final = Sometimes(0.5, v2.functional.horizontal_flip)
_CUT_OUT: Final = Sometimes(0.5, v2.RandomErasing(1.0, scale=(0.02, 0.15), ratio=(0.5, 2.0), value=127))

# A new strength is a new line here. JPEG comes last, as from a camera or a website.
AUGMENTATIONS: Final[dict[str, tuple[Sometimes, ...]]] = {
    "none": (),
    "flip": (_FLIP,),
    "cut_out": (_FLIP, _CUT_OUT),
    # Seldom and mild: more harms where the test photographs are as clean as the training ones.
    "light": (_FLIP, Sometimes(0.1, _blur(1.0)), Sometimes(0.1, JPEG((60, 100)))),
    "heavy": (
        _FLIP,
        Sometimes(0.3, v2.ColorJitter(brightness=0.15, contrast=0.15, saturation=0.15)),
        Sometimes(0.3, ThereAndBack((0.6, 1.4))),
        Sometimes(0.3, _blur(1.5)),
        Sometimes(0.2, v2.GaussianNoise(sigma=0.01)),
        _CUT_OUT,
        Sometimes(0.5, JPEG((40, 95))),
    ),
}


def augmentation(strength: str) -> Augmentation:
    """Return the function that alters a batch, uint8 (n, height, width, 3), each photograph by itself.

    Its randomness is torch's global generator; callers seed it.
    """
    steps = AUGMENTATIONS[strength]

    def alter_batch(photographs: torch.Tensor) -> torch.Tensor:
        planes = photographs.permute(0, 3, 1, 2)
        for step in steps:
            planes = step(planes)
        return planes.permute(0, 2, 3, 1)

    return alter_batch


def random_crops(photographs: torch.Tensor, crop: int) -> torch.Tensor:
    """Cut one crop from each photograph, uint8 (n, height, width, 3); corners are drawn from torch's own generator."""
    places = [(side - crop) // GRID + 1 for side in photographs.shape[1:3]]
    corners = [GRID * torch.randint(count, (len(photographs),)) for count in places]
    return torch.stack(
        [
            photograph[top : top + crop, left : left + crop]
            for photograph, top, left in zip(photographs, *(axis.tolist() for axis in corners), strict=True)
        ]
    )
