"""Faults of photographs: every format that Pillow writes, cut at each kilobyte, and headers that promise much."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from tests.bad_input.cases import ACCEPTED, Case
from tests.competitions import SIZE, photograph
from tests.ensemble.predict.photographs.hostile import png

_FORMATS = (
    "BMP",
    "DIB",
    "GIF",
    "ICO",
    "JPEG",
    "JPEG2000",
    "PCX",
    "PDF",
    "PNG",
    "PPM",
    "SGI",
    "TGA",
    "TIFF",
    "WEBP",
    "AVIF",
    "MPO",
    "EPS",
    "IM",
    "MSP",
    "SPIDER",
    "XBM",
    "DDS",
    "QOI",
    "ICNS",
    "PALM",
)
_MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "F", "HSV", "LAB", "PA")
_NEW_MODES = ("I", "YCbCr") if int(PIL.__version__.partition(".")[0]) >= 13 else ()  # which older ones write otherwise


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _picture(mode: str = "RGB", size: int = SIZE) -> Image.Image:
    image = Image.fromarray(photograph(5, True, size))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":
        return Image.new("LAB", (size, size))
    return image.convert("L").convert(mode) if mode in ("LA", "PA", "I", "F") else image.convert(mode)


def _put(split: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "data" / split / "00003.png").write_bytes(content)


def _of_path(split: str, change: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: change(folder / "data" / split / "00003.png")


def _contents() -> Iterator[tuple[str, bytes]]:
    for kind in _FORMATS:
        try:
            yield (
                f"saved as {kind}",
                saved(_picture("1" if kind in ("MSP", "XBM") else "F" if kind == "SPIDER" else "RGB"), kind),
            )
        except (KeyError, OSError, ValueError):  # this Pillow cannot
            continue
    for mode in (*_MODES, *_NEW_MODES):
        for kind in ("PNG", "TIFF"):
            try:
                yield f"{mode} in {kind}", saved(_picture(mode), kind)
            except (KeyError, OSError, ValueError):
                continue
    for name, kind, options in (
        ("PNG", "PNG", {}),
        ("JPEG", "JPEG", {"quality": 95}),
        ("progressive JPEG", "JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", "WEBP", {"lossless": True}),
        ("TIFF", "TIFF", {}),
        ("BMP", "BMP", {}),
        ("GIF", "GIF", {}),
    ):
        content = saved(_picture(), kind, **options)
        for length in sorted(
            {
                0,
                1,
                2,
                4,
                8,
                12,
                20,
                33,
                64,
                128,
                256,
                512,
                *range(1024, len(content), 1024),
                len(content) - 13,
                len(content) - 1,
            }
        ):
            if length < len(content):
                yield f"{name} of {length} bytes", content[:length]
    for side in (1, 8, 31, 33, 64):
        yield f"{side} pixels wide", saved(_picture(size=side), "PNG")
    for side in (10_000, 65_535, 2**31 - 1):
        yield f"a header of {side} by {side}", png(side, side, 8, 2, data=b"")
    yield "a header of nothing", png(0, 0, 8, 2, data=b"")
    yield "an animation", saved(_picture(), "GIF", save_all=True, append_images=[_picture("L").convert("RGB")])
    yield "an SVG", b"<svg xmlns='http://www.w3.org/2000/svg' width='32' height='32'><script>1</script></svg>"
    yield "a text", b"no picture"
    yield "a web page", b"<!doctype html><html><body>404</body></html>"
    yield "a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
    yield "zero bytes", bytes(4_000)
    yield "a PNG with text behind it", saved(_picture(), "PNG") + b"<script>" * 100
    yield "a PNG with a zip behind it", saved(_picture(), "PNG") + b"PK\x05\x06" + bytes(18)


_PATHS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "one more": lambda path: path.with_name("more.png").write_bytes(path.read_bytes()),
    "another suffix": lambda path: path.rename(path.with_suffix(".jpg")),
    "upper case": lambda path: path.rename(path.with_name(path.name.upper())),
    "twice, by suffix": lambda path: path.with_suffix(".jpg").write_bytes(path.read_bytes()),
}


def cases() -> Iterator[Case]:
    """Yield all cases, of training and test photographs in turns."""
    for number, (name, content) in enumerate(_contents()):
        split = ("train", "test")[number % 2]
        yield Case(f"{split}: {name}", _put(split, content), SAID.get(name, ACCEPTED))
    for split in ("train", "test"):
        for name, change in _PATHS.items():
            yield Case(f"{split}: {name}", _of_path(split, change), SAID.get(name, ACCEPTED))


SAID: dict[str, str] = {
    "saved as PDF": "unreadable or truncated photograph",
    "saved as EPS": "unreadable or truncated photograph",
    "saved as SPIDER": "not three 8-bit channels",
    "saved as ICNS": "another size than 32 x 32",
    "CMYK in TIFF": "CMYK, for printing",
    "I;16 in PNG": "not three 8-bit channels",
    "I;16 in TIFF": "not three 8-bit channels",
    "I in TIFF": "not three 8-bit channels",
    "F in TIFF": "not three 8-bit channels",
    "YCbCr in TIFF": "not three 8-bit channels",
    "LAB in TIFF": "not three 8-bit channels",
    "PNG of 0 bytes": "an empty file; download it again",
    "PNG of 1 bytes": "unreadable or truncated photograph",
    "PNG of 2 bytes": "unreadable or truncated photograph",
    "PNG of 4 bytes": "unreadable or truncated photograph",
    "PNG of 8 bytes": "unreadable or truncated photograph",
    "PNG of 12 bytes": "unreadable or truncated photograph",
    "PNG of 20 bytes": "unreadable or truncated photograph",
    "PNG of 33 bytes": "unreadable or truncated photograph",
    "PNG of 64 bytes": "unreadable or truncated photograph",
    "PNG of 128 bytes": "unreadable or truncated photograph",
    "PNG of 256 bytes": "unreadable or truncated photograph",
    "PNG of 512 bytes": "unreadable or truncated photograph",
    "PNG of 1024 bytes": "unreadable or truncated photograph",
    "PNG of 2048 bytes": "unreadable or truncated photograph",
    "JPEG of 0 bytes": "an empty file; download it again",
    "JPEG of 1 bytes": "unreadable or truncated photograph",
    "JPEG of 2 bytes": "unreadable or truncated photograph",
    "JPEG of 4 bytes": "unreadable or truncated photograph",
    "JPEG of 8 bytes": "unreadable or truncated photograph",
    "JPEG of 12 bytes": "unreadable or truncated photograph",
    "JPEG of 20 bytes": "unreadable or truncated photograph",
    "JPEG of 33 bytes": "unreadable or truncated photograph",
    "JPEG of 64 bytes": "unreadable or truncated photograph",
    "JPEG of 128 bytes": "unreadable or truncated photograph",
    "JPEG of 256 bytes": "unreadable or truncated photograph",
    "JPEG of 512 bytes": "unreadable or truncated photograph",
    "JPEG of 1024 bytes": "unreadable or truncated photograph",
    "JPEG of 1521 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 0 bytes": "an empty file; download it again",
    "progressive JPEG of 1 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 2 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 4 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 8 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 12 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 20 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 33 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 64 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 128 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 256 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 512 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 1024 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 1412 bytes": "unreadable or truncated photograph",
    "progressive JPEG of 1424 bytes": "unreadable or truncated photograph",
    "WEBP of 0 bytes": "an empty file; download it again",
    "WEBP of 1 bytes": "unreadable or truncated photograph",
    "WEBP of 2 bytes": "unreadable or truncated photograph",
    "WEBP of 4 bytes": "unreadable or truncated photograph",
    "WEBP of 8 bytes": "unreadable or truncated photograph",
    "WEBP of 12 bytes": "unreadable or truncated photograph",
    "WEBP of 20 bytes": "unreadable or truncated photograph",
    "WEBP of 33 bytes": "unreadable or truncated photograph",
    "WEBP of 64 bytes": "unreadable or truncated photograph",
    "WEBP of 128 bytes": "unreadable or truncated photograph",
    "WEBP of 256 bytes": "unreadable or truncated photograph",
    "WEBP of 512 bytes": "unreadable or truncated photograph",
    "WEBP of 1024 bytes": "unreadable or truncated photograph",
    "WEBP of 2048 bytes": "unreadable or truncated photograph",
    "WEBP of 2851 bytes": "unreadable or truncated photograph",
    "WEBP of 2863 bytes": "unreadable or truncated photograph",
    "TIFF of 0 bytes": "an empty file; download it again",
    "TIFF of 1 bytes": "unreadable or truncated photograph",
    "TIFF of 2 bytes": "unreadable or truncated photograph",
    "TIFF of 4 bytes": "unreadable or truncated photograph",
    "TIFF of 8 bytes": "unreadable or truncated photograph",
    "TIFF of 12 bytes": "unreadable or truncated photograph",
    "TIFF of 20 bytes": "unreadable or truncated photograph",
    "TIFF of 33 bytes": "unreadable or truncated photograph",
    "TIFF of 64 bytes": "unreadable or truncated photograph",
    "TIFF of 128 bytes": "unreadable or truncated photograph",
    "TIFF of 256 bytes": "unreadable or truncated photograph",
    "TIFF of 512 bytes": "unreadable or truncated photograph",
    "TIFF of 1024 bytes": "unreadable or truncated photograph",
    "TIFF of 2048 bytes": "unreadable or truncated photograph",
    "TIFF of 3072 bytes": "unreadable or truncated photograph",
    "TIFF of 3199 bytes": "unreadable or truncated photograph",
    "TIFF of 3211 bytes": "unreadable or truncated photograph",
    "BMP of 0 bytes": "an empty file; download it again",
    "BMP of 1 bytes": "unreadable or truncated photograph",
    "BMP of 2 bytes": "unreadable or truncated photograph",
    "BMP of 4 bytes": "unreadable or truncated photograph",
    "BMP of 8 bytes": "unreadable or truncated photograph",
    "BMP of 12 bytes": "unreadable or truncated photograph",
    "BMP of 20 bytes": "unreadable or truncated photograph",
    "BMP of 33 bytes": "unreadable or truncated photograph",
    "BMP of 64 bytes": "unreadable or truncated photograph",
    "BMP of 128 bytes": "unreadable or truncated photograph",
    "BMP of 256 bytes": "unreadable or truncated photograph",
    "BMP of 512 bytes": "unreadable or truncated photograph",
    "BMP of 1024 bytes": "unreadable or truncated photograph",
    "BMP of 2048 bytes": "unreadable or truncated photograph",
    "BMP of 3072 bytes": "unreadable or truncated photograph",
    "BMP of 3113 bytes": "unreadable or truncated photograph",
    "BMP of 3125 bytes": "unreadable or truncated photograph",
    "GIF of 0 bytes": "an empty file; download it again",
    "GIF of 1 bytes": "unreadable or truncated photograph",
    "GIF of 2 bytes": "unreadable or truncated photograph",
    "GIF of 4 bytes": "unreadable or truncated photograph",
    "GIF of 8 bytes": "unreadable or truncated photograph",
    "GIF of 12 bytes": "unreadable or truncated photograph",
    "GIF of 20 bytes": "unreadable or truncated photograph",
    "GIF of 33 bytes": "unreadable or truncated photograph",
    "GIF of 64 bytes": "unreadable or truncated photograph",
    "GIF of 128 bytes": "unreadable or truncated photograph",
    "GIF of 256 bytes": "unreadable or truncated photograph",
    "GIF of 512 bytes": "unreadable or truncated photograph",
    "GIF of 1024 bytes": "unreadable or truncated photograph",
    "GIF of 2048 bytes": "unreadable or truncated photograph",
    "GIF of 2061 bytes": "unreadable or truncated photograph",
    "1 pixels wide": "another size than 32 x 32",
    "8 pixels wide": "another size than 32 x 32",
    "31 pixels wide": "another size than 32 x 32",
    "33 pixels wide": "another size than 32 x 32",
    "64 pixels wide": "another size than 32 x 32",
    "a header of 10000 by 10000": "more than 64 megapixels",
    "a header of 65535 by 65535": "unreadable or truncated photograph",
    "a header of 2147483647 by 2147483647": "unreadable or truncated photograph",
    "a header of nothing": "unreadable or truncated photograph",
    "an animation": "an animation",
    "an SVG": "unreadable or truncated photograph",
    "a text": "unreadable or truncated photograph",
    "a web page": "an HTML page",
    "a Git LFS pointer": "a Git LFS pointer",
    "zero bytes": "unreadable or truncated photograph",
    "missing": "row without a photograph",
    "a folder": "row without a photograph",
    "a link to nothing": "row without a photograph",
    "a link to itself": "row without a photograph",
}
