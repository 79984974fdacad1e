"""What stands before the lens: an invented person. It knows nothing of cameras, generators or classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.floating[Any]]  # (3,) linear-light red, green, blue; 1.0 is white paper in full light

# Linear-light ends of the ranges that skin and hair are mixed from.
PALE_SKIN, DARK_SKIN = (0.78, 0.50, 0.38), (0.13, 0.065, 0.04)
BLOND_HAIR, BLACK_HAIR = (0.50, 0.34, 0.15), (0.015, 0.012, 0.012)
IRIS_COLOURS = ((0.05, 0.025, 0.012), (0.10, 0.17, 0.30), (0.12, 0.16, 0.07))


@dataclass(frozen=True)
class Pose:
    """Where the head is. Lengths are in half picture widths, angles in radians."""

    x: float
    y: float
    size: float
    tilt: float
    turn: float  # how far the features have moved sideways over the head


@dataclass(frozen=True)
class Shape:
    """The build of the face, in units of the head's half height."""

    width: float
    jaw: float
    hairline: float
    parting: float
    volume: float
    length: float
    eye_height: float
    eye_gap: float
    eye_size: float
    eye_open: float
    brow_lift: float
    brow_arch: float
    brow_weight: float
    nose_length: float
    nose_width: float
    mouth_width: float
    lip: float
    smile: float


@dataclass(frozen=True)
class Palette:
    """Linear-light colours of all surfaces, float32 (3,) each."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    shirt: Colour
    wall_top: Colour
    wall_bottom: Colour


@dataclass(frozen=True)
class Light:
    """One lamp and what the room gives back."""

    side: float
    height: float
    strength: float
    ambient: float
    tint: Colour


@dataclass(frozen=True)
class Scene:
    """Everything that the picture of an invented person depends on; the same person at any size."""

    pose: Pose
    shape: Shape
    palette: Palette
    light: Light
    roughness: float  # relative depth of the skin's texture
    texture_seed: int


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a person, a pose, a wall and a light; both classes draw from here, so content tells nothing."""
    return Scene(
        pose=_draw_pose(rng),
        shape=_draw_shape(rng),
        palette=_draw_palette(rng),
        light=_draw_light(rng),
        roughness=float(rng.uniform(0.07, 0.16)),
        texture_seed=int(rng.integers(2**63)),
    )


def _draw_pose(rng: np.random.Generator) -> Pose:
    return Pose(
        x=float(rng.normal(0, 0.07)),
        y=float(rng.normal(0.02, 0.05)),
        size=float(rng.uniform(0.58, 0.72)),
        tilt=float(rng.normal(0, 0.10)),
        turn=float(rng.normal(0, 0.09)),
    )


def _draw_shape(rng: np.random.Generator) -> Shape:
    between = rng.uniform
    return Shape(
        width=between(0.70, 0.82),
        jaw=between(0.10, 0.34),
        hairline=between(-0.72, -0.48),
        parting=between(-0.45, 0.45),
        volume=between(1.10, 1.32),
        length=between(0.2, 1.3),
        eye_height=between(-0.16, -0.06),
        eye_gap=between(0.31, 0.38),
        eye_size=between(0.125, 0.165),
        eye_open=between(0.36, 0.56),
        brow_lift=between(0.16, 0.23),
        brow_arch=between(0.2, 1.2),
        brow_weight=between(0.020, 0.042),
        nose_length=between(0.32, 0.42),
        nose_width=between(0.09, 0.14),
        mouth_width=between(0.22, 0.33),
        lip=between(0.045, 0.085),
        smile=between(-0.3, 1.3),
    )


def _draw_palette(rng: np.random.Generator) -> Palette:
    skin = _vary(rng, _mix(PALE_SKIN, DARK_SKIN, rng.uniform()), 0.08)
    wall = _vary(rng, np.full(3, np.exp(rng.uniform(-2.4, -0.6)), np.float32), 0.25)
    return Palette(
        skin=skin,
        hair=_vary(rng, _mix(BLOND_HAIR, BLACK_HAIR, rng.uniform() ** 0.5), 0.2),
        iris=_vary(rng, np.array(IRIS_COLOURS[rng.integers(3)], np.float32), 0.2),
        lips=_vary(rng, skin * np.array((0.80, 0.45, 0.50), np.float32), 0.1),
        shirt=_vary(rng, np.full(3, np.exp(rng.uniform(-3.0, -0.7)), np.float32), 0.5),
        wall_top=_vary(rng, wall, 0.2),
        wall_bottom=_vary(rng, wall, 0.3),
    )


def _draw_light(rng: np.random.Generator) -> Light:
    warmth = rng.normal(0, 0.08)
    exposure = np.exp(rng.normal(0, 0.15))
    return Light(
        side=float(rng.uniform(-0.8, 0.8)),
        height=float(rng.uniform(-0.7, 0.1)),
        strength=float(rng.uniform(0.5, 1.0)),
        ambient=float(rng.uniform(0.25, 0.5)),
        tint=(exposure * np.exp(warmth * np.array((1.0, 0.0, -1.0)))).astype(np.float32),
    )


def _mix(light: tuple[float, ...], dark: tuple[float, ...], share: float) -> Colour:
    """Go from `light` to `dark` by a share from 0 to 1, in logarithms: pigments multiply."""
    return np.exp((1 - share) * np.log(light) + share * np.log(dark)).astype(np.float32)


def _vary(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    return (colour * np.exp(rng.normal(0, spread, 3))).clip(0.005, 0.9).astype(np.float32)
