"""A simulated camera for the real photographs: lens, mosaic, noise, demosaicing, tone curve.

The generator uses the tone curve and the sharpening too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter

from ensemble.competition.demo.paint import Picture, Plane, paint
from ensemble.competition.demo.scene import Scene

SIZE = 256
GAMMA = 1 / 2.2

# Interpolation kernels of a Bayer mosaic: green has every second site, red and blue every fourth.
GREEN_KERNEL = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
COLOUR_KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
# Malvar, He and Cutler (2004): a missing green is corrected by the Laplacian of the colour measured there.
GREEN_CORRECTION = np.zeros((5, 5), np.float32)
GREEN_CORRECTION[[0, 2, 2, 4, 2], [2, 0, 4, 2, 2]] = np.array([-1, -1, -1, -1, 4], np.float32) / 8


@dataclass(frozen=True)
class Camera:
    """One camera with one set of settings."""

    blur: float  # standard deviation of the lens's point spread, pixels
    shot_noise: float  # variance per unit of signal, of the full scale
    read_noise: float  # standard deviation, of the full scale
    sensitivity: NDArray[np.float32]  # (3,) response to white, before white balance
    corrects_green: bool  # the better of the two demosaicing methods
    smoothing: float  # standard deviation of the noise filter after demosaicing, pixels
    sharpening: float


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw a camera; they differ widely, so that no single threshold on the spectrum separates them."""
    return Camera(
        blur=float(rng.uniform(0.55, 1.0)),
        shot_noise=float(np.exp(rng.uniform(np.log(1e-5), np.log(6e-4)))),
        read_noise=float(np.exp(rng.uniform(np.log(5e-4), np.log(4e-3)))),
        sensitivity=rng.uniform((0.45, 1.0, 0.55), (0.6, 1.0, 0.75)).astype(np.float32),
        corrects_green=bool(rng.uniform() < 0.6),
        smoothing=float(max(0.0, rng.uniform(-0.5, 0.7))),
        sharpening=float(rng.uniform(0.0, 0.6)),
    )


def photograph(scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Take one picture of the scene with a random camera: uint8 `(256, 256, 3)`, RGB."""
    camera = draw_camera(rng)
    image = gaussian_filter(paint(scene, SIZE), (camera.blur, camera.blur, 0))
    raw = _expose(image, camera, rng)
    colours = _demosaic(raw, camera) / camera.sensitivity
    if camera.smoothing:
        colours = gaussian_filter(colours, (camera.smoothing, camera.smoothing, 0))
    return to_bytes(sharpen(tone_curve(colours), camera.sharpening))


def tone_curve(light: Picture) -> Picture:
    """Turn linear light into display values; highlights roll off instead of clipping hard."""
    light = light.clip(0, None)
    return ((light * (1 + light / 4)) / (1 + light)) ** np.float32(GAMMA)


def sharpen(image: Picture, amount: float) -> Picture:
    """Unsharp masking over a radius of one pixel."""
    return image + np.float32(amount) * (image - gaussian_filter(image, (1.0, 1.0, 0), truncate=3))


def to_bytes(image: Picture) -> NDArray[np.uint8]:
    """Round display values from 0 to 1 to 8 bits; other values are clipped."""
    return (image * 255 + 0.5).clip(0, 255).astype(np.uint8)


def _expose(image: Picture, camera: Camera, rng: np.random.Generator) -> Plane:
    """Return the raw mosaic: one colour per site, with the noise of photons and electronics."""
    raw: Plane = (image * camera.sensitivity * _sites(len(image))).sum(axis=-1)
    noise = np.sqrt(camera.shot_noise * raw.clip(0, None) + camera.read_noise**2)
    return raw + noise * rng.standard_normal(raw.shape, np.float32)


def _sites(size: int) -> NDArray[np.float32]:
    """Return the RGGB pattern as float32 `(size, size, 3)`: 1 where a site measures that colour."""
    sites = np.zeros((size, size, 3), np.float32)
    sites[0::2, 0::2, 0] = sites[0::2, 1::2, 1] = sites[1::2, 0::2, 1] = sites[1::2, 1::2, 2] = 1
    return sites


def _demosaic(raw: Plane, camera: Camera) -> Picture:
    """Interpolate the two missing colours of every site; the better method interpolates differences to green."""
    sites = _sites(len(raw))
    green = _convolve(raw * sites[..., 1], GREEN_KERNEL)
    if not camera.corrects_green:
        red, blue = (_convolve(raw * sites[..., i], COLOUR_KERNEL) for i in (0, 2))
        return np.stack((red, green, blue), axis=-1)
    # The correction needs channels of one scale: the sensor's white is evened out here and put back below.
    white = (sites * camera.sensitivity).sum(axis=-1)
    even = raw / white
    green = green + (1 - sites[..., 1]) * _convolve(even, GREEN_CORRECTION)
    red, blue = (green + _convolve((even - green) * sites[..., i], COLOUR_KERNEL) for i in (0, 2))
    return np.stack((red, green, blue), axis=-1) * camera.sensitivity


def _convolve(plane: Plane, kernel: Plane) -> Plane:
    return convolve(plane, kernel, mode="mirror")
