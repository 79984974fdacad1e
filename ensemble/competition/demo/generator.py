"""A simulated image generator for the fakes: coarse picture, invented texture, learned filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from ensemble.competition.demo.camera import SIZE, sharpen, to_bytes, tone_curve
from ensemble.competition.demo.paint import Picture, paint
from ensemble.competition.demo.scene import Scene

BASE_KERNEL = np.array([1, 3, 3, 1], np.float32) / 4  # the binomial filter that StyleGAN 2 starts from


@dataclass(frozen=True)
class Generator:
    """One trained network, reduced to what leaves traces in its pixels."""

    start: int  # pixels per side of its coarse picture, 64 or 128
    kernels: NDArray[np.float32]  # (steps, 3, 4) up-sampling filter of each step and colour channel
    grain: float  # standard deviation of the texture invented before the last up-sampling
    polish: float  # the same after it
    sharpening: float


def draw_generator(rng: np.random.Generator) -> Generator:
    """Draw a network; its filters are a little off balance, as learned ones are, and differ by channel."""
    start = int(rng.choice((64, 128)))
    steps = int(np.log2(SIZE // start))
    kernels = BASE_KERNEL * (1 + rng.normal(0, 0.015, (steps, 3, 4)).astype(np.float32))
    return Generator(
        start=start,
        kernels=kernels * (2 / kernels.sum(axis=-1, keepdims=True)),
        grain=float(np.exp(rng.uniform(np.log(0.003), np.log(0.015)))),
        polish=float(np.exp(rng.uniform(np.log(0.001), np.log(0.008)))),
        sharpening=float(rng.uniform(0.2, 0.8)),
    )


def generate(scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Render the scene through a random generator: uint8 `(256, 256, 3)`, RGB."""
    generator = draw_generator(rng)
    image = tone_curve(paint(scene, generator.start))
    for kernels in generator.kernels:
        image = image + _grain(rng, image, generator.grain)
        image = _double(image, kernels)
        if len(image) < SIZE:
            # As in a skip generator, every step but the last adds the detail that its finer grid can hold.
            image = image + 0.8 * (tone_curve(paint(scene, len(image))) - image)
    image = image + _grain(rng, image, generator.polish)
    return to_bytes(sharpen(image, generator.sharpening))


def _grain(rng: np.random.Generator, image: Picture, strength: float) -> Picture:
    """Return noise that is mostly common to the three colours, as networks add it before they make colours of it."""
    common = rng.standard_normal((*image.shape[:2], 1), np.float32)
    own = rng.standard_normal(image.shape, np.float32)
    return np.float32(strength) * (0.9 * common + 0.45 * own)


def _double(image: Picture, kernels: NDArray[np.float32]) -> Picture:
    """Transposed convolution with stride 2: zeros between the pixels, then a short filter down and across."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    spread = np.zeros((2 * len(padded), 2 * len(padded), 3), np.float32)
    spread[::2, ::2] = padded
    for channel, kernel in enumerate(kernels):
        down = correlate1d(spread[..., channel], kernel, axis=0)
        spread[..., channel] = correlate1d(down, kernel, axis=1)
    return spread[2:-2, 2:-2]
