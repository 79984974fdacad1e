"""An invented person in front of a wall, independent of cameras, generators and classes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.floating[Any]]  # (3,) linear-light red, green, blue; 1.0 is white paper in full light

# Linear-light ends of the ranges that skin and hair are mixed from.
PALE_SKIN, DARK_SKIN = (0.78, 0.50, 0.38), (0.13, 0.065, 0.04)
BLOND_HAIR, BLACK_HAIR = (0.50, 0.34, 0.15), (0.015, 0.012, 0.012)
IRIS_COLOURS = ((0.05, 0.025, 0.012), (0.10, 0.17, 0.30), (0.12, 0.16, 0.07))

Drawn = TypeVar("Drawn")


def _uniform(low: float, high: float) -> Any:
    """Declare a field that `_draw` fills with a uniform random number."""
    return field(metadata={"draw": lambda rng: rng.uniform(low, high)})


def _normal(mean: float, deviation: float) -> Any:
    """Declare a field that `_draw` fills with a normal random number."""
    return field(metadata={"draw": lambda rng: rng.normal(mean, deviation)})


@dataclass(frozen=True)
class Pose:
    """Position of the head. Lengths are in half picture widths, angles in radians."""

    x: float = _normal(0, 0.07)
    y: float = _normal(0.02, 0.05)
    size: float = _uniform(0.58, 0.72)
    tilt: float = _normal(0, 0.10)
    turn: float = _normal(0, 0.09)  # how far the features have moved sideways over the head


@dataclass(frozen=True)
class Shape:
    """Build of the face, in units of the head's half height."""

    width: float = _uniform(0.70, 0.82)
    jaw: float = _uniform(0.10, 0.34)
    hairline: float = _uniform(-0.72, -0.48)
    parting: float = _uniform(-0.45, 0.45)
    volume: float = _uniform(1.10, 1.32)
    length: float = _uniform(0.2, 1.3)
    eye_height: float = _uniform(-0.16, -0.06)
    eye_gap: float = _uniform(0.31, 0.38)
    eye_size: float = _uniform(0.125, 0.165)
    eye_open: float = _uniform(0.36, 0.56)
    brow_lift: float = _uniform(0.16, 0.23)
    brow_arch: float = _uniform(0.2, 1.2)
    brow_weight: float = _uniform(0.020, 0.042)
    nose_length: float = _uniform(0.32, 0.42)
    nose_width: float = _uniform(0.09, 0.14)
    mouth_width: float = _uniform(0.22, 0.33)
    lip: float = _uniform(0.045, 0.085)
    smile: float = _uniform(-0.3, 1.3)


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
    """One lamp and the ambient light of the room."""

    side: float
    height: float
    strength: float
    ambient: float
    tint: Colour


@dataclass(frozen=True)
class Scene:
    """Everything that the picture of an invented person depends on, at any size."""

    pose: Pose
    shape: Shape
    palette: Palette
    light: Light
    roughness: float  # relative depth of the skin's texture
    texture_seed: int


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a person, a pose, a wall and a light; the same for both classes, so that content gives nothing away."""
    return Scene(
        pose=_draw(Pose, rng),
        shape=_draw(Shape, rng),
        palette=_draw_palette(rng),
        light=_draw_light(rng),
        roughness=float(rng.uniform(0.07, 0.16)),
        texture_seed=int(rng.integers(2**63)),
    )


def _draw(kind: type[Drawn], rng: np.random.Generator) -> Drawn:
    """Fill all fields of a dataclass, each by its own draw."""
    return kind(**{each.name: each.metadata["draw"](rng) for each in fields(kind)})  # type: ignore[arg-type]


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
    """Mix from `light` to `dark` by a share from 0 to 1, in logarithms: pigments multiply."""
    return np.exp((1 - share) * np.log(light) + share * np.log(dark)).astype(np.float32)


def _vary(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    return (colour * np.exp(rng.normal(0, spread, 3))).clip(0.005, 0.9).astype(np.float32)
