"""Paints a scene in linear light on a square grid of any size, by formulas alone."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble.competition.demo.scene import Colour, Scene, Shape

Plane = NDArray[np.floating[Any]]  # (size, size)
Random = np.random.Generator
Picture = NDArray[np.floating[Any]]  # (size, size, 3) linear light, 0 is black

Box = tuple[slice, slice]

EDGE = 0.012  # softness of outlines in half picture widths: one and a half pixels of a 256 px photograph
MOUTH_HEIGHT = 0.52
SKIN_CELLS = (6, 12, 24, 48, 96, 192)
WALL_CELLS = (3, 5, 9, 17, 33, 160)


def paint(scene: Scene, size: int) -> Picture:
    """Return the scene as float32 `(size, size, 3)` in linear light; the same person whatever the size."""
    rng = np.random.default_rng(scene.texture_seed)
    x, y = _head_coordinates(scene, size)
    shading = _shading(scene, x, y)
    canvas = _wall(scene, size, rng)
    _paint_body(canvas, scene, x, y, shading, rng)
    _paint_head(canvas, scene, x, y, shading, rng)
    _paint_features(canvas, scene, x - scene.pose.turn, y, shading)
    _paint_fringe(canvas, scene, x, y, shading, rng)
    return canvas * scene.light.tint


def texture(rng: Random, size: int, cells: tuple[int, ...], stretch: int = 1) -> Plane:
    """Return a sum of smooth random fields, about unit variance; `cells` are the scales, in cells per side.

    Fields finer than the grid are drawn and dropped: a coarse painting is the fine one without its detail.
    `stretch` makes the cells that many times higher than wide, as hair is.
    """
    total = np.zeros((size, size), np.float32)
    for count in cells:
        field = rng.standard_normal((max(2, count // stretch), count), np.float32)
        if count <= size:
            total += np.asarray(Image.fromarray(field).resize((size, size), Image.Resampling.BICUBIC))
    return total / np.float32(np.sqrt(len(cells) / 2))  # interpolation about halves a field's variance


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Plane, Plane]:
    """Return the pixel centres from -1 to 1: x to the right, y downwards."""
    axis = ((np.arange(size) + 0.5) * (2 / size) - 1).astype(np.float32)
    return np.broadcast_to(axis, (size, size)), np.broadcast_to(axis[:, None], (size, size))


def _head_coordinates(scene: Scene, size: int) -> tuple[Plane, Plane]:
    """Return coordinates that move, turn and grow with the head: its centre is 0, its chin about (0, 1)."""
    x, y = _grid(size)
    x, y = (x - scene.pose.x) / scene.pose.size, (y - scene.pose.y) / scene.pose.size
    cos, sin = np.cos(scene.pose.tilt, dtype=np.float32), np.sin(scene.pose.tilt, dtype=np.float32)
    return x * cos + y * sin, y * cos - x * sin


def _inside(distance: Plane, edge: float = EDGE) -> Plane:
    """Turn a distance to an outline (negative inside) into a mask from 0 to 1 with a soft edge."""
    t: Plane = (0.5 - distance * np.float32(0.5 / edge)).clip(0, 1)
    return t * t * (3 - 2 * t)


def _ellipse(x: Plane, y: Plane, width: float, height: float) -> Plane:
    """Return the approximate distance to an ellipse round the origin, good near the outline."""
    across, down = x / np.float32(width), y / np.float32(height)
    reach: Plane = np.sqrt(across * across + down * down)
    return (reach - 1) * np.float32(min(width, height))


def _cover(canvas: Picture, colour: Colour | Picture, mask: Plane) -> None:
    """Blend a colour, `(3,)` or `(size, size, 3)`, into the canvas by the mask."""
    box = _bounds(mask > 0)
    patch = colour if colour.ndim == 1 else colour[box]
    canvas[box] += mask[box][..., None] * (patch - canvas[box])


def _bounds(marked: NDArray[np.bool_]) -> Box:
    """Return the smallest box around all marked pixels; an empty one if there are none."""
    rows, columns = (np.flatnonzero(marked.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _wall(scene: Scene, size: int, rng: Random) -> Picture:
    _, y = _grid(size)
    height = ((y + 1) / 2)[..., None]
    wall: Picture = scene.palette.wall_top * (1 - height) + scene.palette.wall_bottom * height
    wall *= np.exp(0.12 * texture(rng, size, WALL_CELLS))[..., None]
    return wall


def _paint_body(canvas: Picture, scene: Scene, x: Plane, y: Plane, shading: Plane, rng: Random) -> None:
    """Paint the hair behind the head, the neck and the shirt."""
    size, shape, palette = len(canvas), scene.shape, scene.palette
    behind = _ellipse(x, np.where(y > 0, y / shape.length, y), shape.width * shape.volume, shape.volume)
    _cover(canvas, 0.6 * _strands(palette.hair, size, rng), _inside(behind))
    neck = np.maximum(np.abs(x) - 0.52 * shape.width, 0.5 - y)
    _cover(canvas, 0.45 * palette.skin * shading[..., None], _inside(neck, 0.06))
    weave = np.exp(0.12 * texture(rng, size, (16, 160)))
    shoulders = _ellipse(x, y - 2.0, 1.6, 0.85)
    _cover(canvas, palette.shirt * weave[..., None], _inside(shoulders, 0.03))


def _paint_head(canvas: Picture, scene: Scene, x: Plane, y: Plane, shading: Plane, rng: Random) -> None:
    """Paint the skin: shaded as an ellipsoid, redder at the cheeks, rough at many scales."""
    cheeks = np.exp(-8 * ((np.abs(x - scene.pose.turn) - 0.42) ** 2 + (y - 0.22) ** 2))
    blush = 1 - cheeks[..., None] * np.array((0.0, 0.16, 0.14), np.float32)
    relief = np.exp(scene.roughness * texture(rng, len(canvas), SKIN_CELLS))
    skin = scene.palette.skin * blush * (relief * shading)[..., None]
    _cover(canvas, skin, _inside(_head(scene.shape, x, y)))


def _head(shape: Shape, x: Plane, y: Plane) -> Plane:
    """Return the distance to the outline of the head: an ellipse that narrows towards the chin."""
    return _ellipse(x / (1 - shape.jaw * np.maximum(y, 0) ** 2), y, shape.width, 1.0)


def _shading(scene: Scene, x: Plane, y: Plane) -> Plane:
    """Return the light on an ellipsoid by Lambert's law, and the ambient light that fills its shadows."""
    light, nx = scene.light, (x / scene.shape.width).clip(-1, 1)
    ny = y.clip(-1, 1)
    nz = np.sqrt((1.05 - nx * nx - ny * ny).clip(0.02, None))
    facing: Plane = (nx * light.side + ny * light.height + nz) / math.hypot(light.side, light.height, 1.0)
    return light.ambient + light.strength * facing.clip(0, None)


def _strands(colour: Colour, size: int, rng: Random) -> Picture:
    strands: Picture = colour * np.exp(0.35 * texture(rng, size, (24, 60, 120), stretch=10))[..., None]
    return strands


def _paint_fringe(canvas: Picture, scene: Scene, x: Plane, y: Plane, shading: Plane, rng: Random) -> None:
    """Paint the hair on top of the head, down to a hairline that starts at the parting."""
    shape = scene.shape
    cap = _ellipse(x, y, shape.width * 1.08, 1.08)
    line = y - shape.hairline - 0.5 * (x - shape.parting * 0.5) ** 2 - 0.02 * np.sin(9 * x + 20 * shape.parting)
    glow = 0.7 + 0.5 * shading
    hair = _strands(scene.palette.hair, len(canvas), rng) * glow[..., None]
    _cover(canvas, hair, _inside(np.maximum(cap, line), 0.025))


def _paint_features(canvas: Picture, scene: Scene, x: Plane, y: Plane, shading: Plane) -> None:
    shape = scene.shape
    nose = _near(x, y - shape.eye_height - shape.nose_length, 0.6)
    _paint_nose(canvas[nose], scene, x[nose], y[nose])
    mouth = _near(x, y - MOUTH_HEIGHT, 0.4)
    _paint_mouth(canvas[mouth], scene, x[mouth], y[mouth], shading[mouth])
    for side in (-1, 1):
        eye_x, eye_y = x - side * shape.eye_gap, y - shape.eye_height
        eye = _near(eye_x, eye_y, 0.75)
        _paint_eye(canvas[eye], scene, eye_x[eye], eye_y[eye])
        brow = _near(eye_x, eye_y, 0.4)
        _paint_brow(canvas[brow], scene, eye_x[brow], eye_y[brow])


def _near(x: Plane, y: Plane, reach: float) -> Box:
    """Return the part of the picture within `reach` of the origin, so that small features cost little."""
    near = (np.abs(x) < reach) & (np.abs(y) < reach)
    return _bounds(near)


def _paint_eye(canvas: Picture, scene: Scene, x: Plane, y: Plane) -> None:
    shape, size = scene.shape, scene.shape.eye_size
    opening = _ellipse(x, y, size, size * shape.eye_open)
    socket = np.exp(-((x / (1.9 * size)) ** 2) - ((y / (1.3 * size)) ** 2))
    canvas *= (1 - 0.35 * socket)[..., None]
    mask, iris = _inside(opening), size * 0.52
    _cover(canvas, _grey(0.50 * scene.light.strength + 0.1), mask)
    _cover(canvas, scene.palette.iris, mask * _inside(_ellipse(x, y, iris, iris)))
    _cover(canvas, _grey(0.005), mask * _inside(_ellipse(x, y, iris * 0.45, iris * 0.45)))
    glint_x = x - 0.3 * iris * scene.light.side
    _cover(canvas, _grey(0.9), mask * _inside(_ellipse(glint_x, y + 0.3 * iris, iris * 0.2, iris * 0.2)))
    lash = np.maximum(np.abs(opening + 0.004) - 0.012, y)
    _cover(canvas, 0.3 * scene.palette.hair, _inside(lash, 0.02))


def _paint_brow(canvas: Picture, scene: Scene, x: Plane, y: Plane) -> None:
    shape = scene.shape
    middle = y + shape.brow_lift - shape.brow_arch * x * x
    brow = np.maximum(np.abs(middle) - shape.brow_weight, np.abs(x) - 1.25 * shape.eye_size)
    _cover(canvas, 0.8 * scene.palette.hair, 0.85 * _inside(brow, 0.025))


def _paint_nose(canvas: Picture, scene: Scene, x: Plane, y: Plane) -> None:
    """Paint a ridge whose far side is in shadow, and two nostrils."""
    shape, tip = scene.shape, scene.shape.eye_height + scene.shape.nose_length
    along = np.exp(-(((y - tip + 0.16) / 0.2) ** 2))
    far = x + math.copysign(0.6 * shape.nose_width, scene.light.side)
    ridge = 0.12 * np.exp(-((x / 0.035) ** 2)) - 0.28 * np.exp(-((far / (0.5 * shape.nose_width)) ** 2))
    under = 0.3 * np.exp(-((x / (1.2 * shape.nose_width)) ** 2) - ((y - tip - 0.05) / 0.035) ** 2)
    canvas *= (1 + along * ridge - under)[..., None]
    nostrils = _ellipse(np.abs(x) - 0.55 * shape.nose_width, y - tip, 0.032, 0.018)
    _cover(canvas, 0.12 * scene.palette.skin, 0.8 * _inside(nostrils, 0.02))


def _paint_mouth(canvas: Picture, scene: Scene, x: Plane, y: Plane, shading: Plane) -> None:
    shape = scene.shape
    bend = y - MOUTH_HEIGHT + shape.smile * (x * x - 0.5 * shape.mouth_width**2)
    taper = (1 - (x / shape.mouth_width) ** 2).clip(0, None)
    fullness, corner = shape.lip * np.sqrt(taper), np.abs(x) - shape.mouth_width
    upper = np.maximum(np.maximum(-bend - 0.7 * fullness, bend), corner)
    lower = np.maximum(np.maximum(bend - fullness, -bend), corner)
    glow = shading[..., None]
    _cover(canvas, 0.75 * scene.palette.lips * glow, _inside(upper, 0.02))
    _cover(canvas, scene.palette.lips * glow, _inside(lower, 0.02))
    between = np.maximum(np.abs(bend) - 0.008, corner)
    _cover(canvas, 0.15 * scene.palette.lips, _inside(between))


def _grey(value: float) -> Colour:
    return np.full(3, value, np.float32)
