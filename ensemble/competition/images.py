"""Photographs as uint8 arrays, decoded once, in parallel, never resized; and views of rows without copies."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from ensemble.competition.kinds import mistaken_for
from ensemble.core.parallel import AT_ONCE, blocks, in_threads
from ensemble.core.storage.array_file import ArrayFile

Size = tuple[int, int]
Opener = Callable[[bytes], Image.Image]  # reads the header alone

GRID = 8  # crops stay on the 8 x 8 grid of JPEG, since other offsets would shift its trace
MAX_PIXELS = 64_000_000
_MOST_BYTES = 2**28  # of a block of decoded photographs
_ACCEPTED = {"RGB", "L", "RGBA", "LA", "P", "PA", "1"}  # three 8-bit channels without loss
_ORIENTATION, _ON_ITS_SIDE = 0x0112, range(5, 9)  # of EXIF
_DAMAGED = "unreadable or truncated photograph"
_END_OF_JPEG = b"\xff\xd9"
# What may follow a JPEG without an end marker: any bytes without a marker.
_AFTER = (b"", *(row.tobytes() for row in np.random.default_rng(0).integers(0, 255, (15, 64), dtype=np.uint8)))
_MOST_TO_RETRY = 4_000_000  # pixels of a JPEG without an end marker, which is decoded as often as there are endings
# Decoders warn of odd metadata, which nothing here reads. A context would not do: photographs are decoded in threads.
warnings.filterwarnings("ignore", module=r"PIL\b")
PngImagePlugin.MAX_TEXT_CHUNK = 64 * 2**20  # colour profiles of a megabyte are no attack


@dataclass(frozen=True)
class Decoding:
    """How photographs are decoded: `data.on_size_mismatch` and `data.convert_cmyk`."""

    on_size_mismatch: str = "error"
    convert_cmyk: bool = False


_AS_USUAL = Decoding()


@dataclass(frozen=True)
class Decoded:
    """Pixels uint8 (n, height, width, 3), RGB; and why a photograph could not be used (its row is zero), else None."""

    pixels: ArrayFile
    faults: list[str | None]


def decode(encoded: Sequence[bytes], how: Decoding = _AS_USUAL) -> Decoded:
    """Decode photographs into one array, which lies in a file: 20,000 of 256 px are 4 GB.

    Grey photographs get three equal channels, palettes their colours; an alpha channel is dropped (not composited).
    CMYK (unless `convert_cmyk`), animations and more than 8 bits per channel are faults. EXIF orientation is not
    applied, as it would turn the grid. Photographs of another size than most are faults too, or
    (`on_size_mismatch="crop"`) all are cropped to the smallest height and width, rounded down to multiples of 8, from
    the corner on the 8 x 8 grid nearest the centre.
    """
    sizes = in_threads(partial(_inspect, how=how), encoded)
    crop = how.on_size_mismatch == "crop"
    shape = _common_shape([size for size in sizes if not isinstance(size, str)], crop)
    pixels, faults = ArrayFile.create((len(encoded), *shape, 3), np.uint8), list[str | None]()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in blocks(len(encoded), _at_once(shape)):
            block = np.zeros((rows.stop - rows.start, *shape, 3), dtype=np.uint8)
            faults += pool.map(partial(_decode_into, crop=crop), block, encoded[rows], sizes[rows])
            pixels.write(rows.start, block)
    return Decoded(pixels, faults)


def _at_once(shape: Size) -> int:
    """Return how many photographs are decoded into one block."""
    return max(min(_MOST_BYTES // max(3 * shape[0] * shape[1], 1), AT_ONCE), 1)


def _opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))


def decode_one(content: bytes, how: Decoding = _AS_USUAL, opened: Opener = _opened) -> NDArray[np.uint8] | str:
    """Decode a photograph at its own size, uint8 (height, width, 3), as `decode` does; or return its fault."""
    size = _inspect(content, how, opened)
    if isinstance(size, str):
        return size
    pixels = _whole_pixels(content, opened)
    return _DAMAGED if pixels is None else pixels


def is_photograph(content: bytes) -> bool:
    """Return whether a decoder knows this kind of file."""
    try:
        with Image.open(BytesIO(content)):
            return True
    except Exception:  # what decoders raise on damaged bytes is no closed list
        return False


def is_cmyk(content: bytes) -> bool:
    """Return whether a photograph has the four colours of printing."""
    with suppress(Exception), Image.open(BytesIO(content)) as image:
        return image.mode == "CMYK"
    return False


def _inspect(content: bytes, how: Decoding, opened: Opener = _opened) -> Size | str:
    """Return (height, width) from the header, or the fault."""
    try:
        with opened(content) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                return f"more than {MAX_PIXELS // 10**6} megapixels"
            if image.mode == "CMYK" and not how.convert_cmyk:
                return "CMYK, for printing (set data.convert_cmyk: true to convert such photographs)"
            if image.mode not in _ACCEPTED | {"CMYK"} or _sixteen_bits(image):
                return "not three 8-bit channels (nor grey, nor RGBA)"
            if getattr(image, "is_animated", False) and image.format != "MPO":  # phones add a second picture to a JPEG
                return "an animation"
            return height, width
    except Exception:
        return mistaken_for(content) or _DAMAGED


def _sixteen_bits(image: Image.Image) -> bool:
    """Detect 16-bit PNGs, which Pillow opens as 8-bit RGB, by the raw mode of the file."""
    how = (tile[3] for tile in getattr(image, "tile", []))  # the raw mode, or a tuple that begins with it
    return any("16" in str(each if isinstance(each, str) else next(iter(each or ()), "")) for each in how)


def _common_shape(sizes: list[Size], crop: bool) -> Size:
    if not sizes:
        return (0, 0)
    if crop and len(set(sizes)) > 1:
        return _multiple(min(size[0] for size in sizes)), _multiple(min(size[1] for size in sizes))
    return Counter(sizes).most_common(1)[0][0]


def _multiple(length: int) -> int:
    return max(length // GRID * GRID, 1)


def _decode_into(row: NDArray[np.uint8], content: bytes, size: Size | str, crop: bool) -> str | None:
    height, width = row.shape[:2]
    if isinstance(size, str):
        return size
    if size != (height, width) and not crop:
        if size == (width, height) and (orientation := _orientation(content)) in _ON_ITS_SIDE:
            return (
                f"stored on its side (EXIF orientation {orientation}): {size[0]} x {size[1]}; turn it without loss, "
                "as jpegtran does"
            )
        return f"another size than {height} x {width} (set data.on_size_mismatch: crop to cut all to one size)"
    full = _whole_pixels(content)
    if full is None:
        return _DAMAGED
    top, left = (_aligned_offset(length, crop_to) for length, crop_to in zip(size, (height, width), strict=True))
    row[:] = full[top : top + height, left : left + width]
    return None


def _pixels(content: bytes, opened: Opener) -> NDArray[np.uint8]:
    with opened(content) as image:
        return np.asarray(_three_channels(image))


def _whole_pixels(content: bytes, opened: Opener = _opened) -> NDArray[np.uint8] | None:
    """Decode a photograph; None if it is damaged or cut short. A JPEG of one scan may lack its end marker, no more.

    Where pixels are missing, they would depend on what follows the file.
    """
    with suppress(Exception):
        return _pixels(content, opened)
    with suppress(Exception):
        if not _may_lack_its_end(content, opened):
            return None
        rest = content.removesuffix(_END_OF_JPEG[:1])
        first = _pixels(rest + _END_OF_JPEG, opened)
        others = (_pixels(rest + after + _END_OF_JPEG, opened) for after in _AFTER[1:])
        return first if all(np.array_equal(first, other) for other in others) else None
    return None


def _may_lack_its_end(content: bytes, opened: Opener) -> bool:
    """Return whether all colours of a JPEG are in one scan: of several, the last ones could be missing altogether."""
    with opened(content) as image:
        last = content.rfind(b"\xff\xda")
        colours = content[last + 4 : last + 5]
        return (
            image.format == "JPEG"
            and not image.info.get("progressive")
            and colours == bytes([len(image.getbands())])
            and image.width * image.height <= _MOST_TO_RETRY
        )


def _orientation(content: bytes) -> int:
    with suppress(Exception), Image.open(BytesIO(content)) as image:
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


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
