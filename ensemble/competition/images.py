"""Photographs as uint8 arrays, decoded once, in parallel, never resized; and views of rows without copies."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Problems = dict[str, list[str]]
Size = tuple[int, int]

GRID = 8  # crops stay on the 8 x 8 grid of JPEG, since other offsets would shift its trace
MAX_PIXELS = 64_000_000
_ACCEPTED = {"RGB", "L", "RGBA", "LA"}


def decode(
    encoded: Sequence[bytes], names: Sequence[str], on_size_mismatch: str, problems: Problems
) -> NDArray[np.uint8]:
    """Decode photographs into one array, uint8 (n, height, width, 3), RGB.

    Grey photographs get three equal channels; an alpha channel is dropped (not composited). Palettes,
    CMYK, and more than 8 bits per channel are problems. EXIF orientation is not applied, as it would turn the grid.
    Photographs of another size than most are problems too, or (`on_size_mismatch="crop"`) all are cropped to the
    smallest height and width, rounded down to multiples of 8, from the corner on the 8 x 8 grid nearest the centre.

    Problems are added to `problems` by kind; their rows stay zero.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sizes = list(pool.map(_inspect, encoded))
        for name, size in zip(names, sizes, strict=True):
            if isinstance(size, str):
                problems.setdefault(size, []).append(name)
        shape = _common_shape([size for size in sizes if not isinstance(size, str)], on_size_mismatch)
        pixels = np.zeros((len(encoded), *shape, 3), dtype=np.uint8)
        faults = pool.map(_decode_into, pixels, encoded, sizes, [on_size_mismatch == "crop"] * len(encoded))
        for name, fault in zip(names, faults, strict=True):
            if fault:
                problems.setdefault(fault, []).append(name)
    return pixels


def _inspect(content: bytes) -> Size | str:
    """Return (height, width) from the header, or the problem."""
    try:
        with Image.open(BytesIO(content)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                return f"more than {MAX_PIXELS // 10**6} megapixels"
            if image.mode not in _ACCEPTED or _sixteen_bits(image):
                return "not three 8-bit channels (nor grey, nor RGBA)"
            return height, width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "unreadable or truncated photograph"


def _sixteen_bits(image: Image.Image) -> bool:
    """Detect 16-bit PNGs, which Pillow opens as 8-bit RGB, by the raw mode of the file."""
    return any("16" in str(tile[3]) for tile in getattr(image, "tile", []))


def _common_shape(sizes: list[Size], on_size_mismatch: str) -> Size:
    if not sizes:
        return (0, 0)
    if on_size_mismatch == "crop" and len(set(sizes)) > 1:
        return _multiple(min(size[0] for size in sizes)), _multiple(min(size[1] for size in sizes))
    return Counter(sizes).most_common(1)[0][0]


def _multiple(length: int) -> int:
    return max(length // GRID * GRID, 1)


def _decode_into(row: NDArray[np.uint8], content: bytes, size: Size | str, crop: bool) -> str | None:
    height, width = row.shape[:2]
    if isinstance(size, str):
        return None  # reported already
    if size != (height, width) and not crop:
        return f"another size than {height} x {width} (set data.on_size_mismatch: crop to cut all to one size)"
    try:
        with Image.open(BytesIO(content)) as image:
            full = np.asarray(_three_channels(image))
    except (OSError, ValueError, SyntaxError):
        return "unreadable or truncated photograph"
    top, left = (_aligned_offset(length, crop_to) for length, crop_to in zip(size, (height, width), strict=True))
    row[:] = full[top : top + height, left : left + width]
    return None


def _three_channels(image: Image.Image) -> Image.Image:
    if image.mode == "RGBA":
        return Image.merge("RGB", image.split()[:3])  # explicit, though convert() does the same today
    return image.convert("RGB")


def _aligned_offset(length: int, crop_to: int) -> int:
    return (length - crop_to) // 2 // GRID * GRID


class RowView:
    """View of some rows of a shared array, without a copy: `len`, `shape`, `dtype`, `view[rows]`, and `np.asarray`.

    Members that declare `reads_rows_lazily = True` get their photographs this way, so that five folds of
    20,000 photographs share one array.
    """

    def __init__(self, array: NDArray[Any], rows: NDArray[np.intp]) -> None:
        self._array = array
        self._rows = rows
        self.shape = (len(rows), *array.shape[1:])
        self.dtype = array.dtype
        self.ndim = array.ndim

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        picked: NDArray[Any] = self._array[self._rows[rows]]
        return picked

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self._array[row] for row in self._rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("rows of a shared array cannot be gathered without a copy")
        return np.asarray(self._array[self._rows], dtype=dtype)
