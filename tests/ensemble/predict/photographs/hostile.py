"""Files that strangers could send: of all kinds, odd, damaged, or made to harm. The same ones each time."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import PIL
from PIL import Image, features
from PIL.TiffImagePlugin import ImageFileDirectory_v2

DECODED = "photograph"
EITHER = ""  # damaged in a way that may or may not show
NONE = "no photograph that can be read"
DAMAGED = "unreadable or truncated"
TOO_MANY = "too many pieces"
SLOW = "takes long to decode"
LARGE = "more than 50 megapixels"
SMALL = "too small"
DEPTH = "not three 8-bit channels"
MOVING = "an animation"
PRINT = "CMYK, for printing"
SEEN = "partly transparent"
TIFF_JPEG = "a JPEG in a TIFF"


class File(NamedTuple):
    name: str
    content: bytes
    expected: str  # DECODED, or a part of the reason


def hostile_files(*, large: bool = True) -> Iterator[File]:
    """All of them, or without those that are large or made to take long."""
    for make in (
        _jpegs, _jpegs_with_metadata, _broken_jpegs, _pngs, _broken_pngs, _gifs, _webps, _bmps, _tiffs, _broken_tiffs,
        _other_formats, _polyglots, _no_photographs, _sizes,
    ):  # fmt: skip
        yield from make()
    if large:
        for make in (_jpeg_bombs, _png_bombs, _gif_bombs, _webp_bombs, _bmp_bombs, _tiff_bombs, _large):
            yield from make()


def scene(width: int = 32, height: int = 32, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A gradient with noise."""
    rows, columns = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).integers(0, 40, (height, width, 3))
    gradient = np.stack([rows * 5 % 200, columns * 5 % 200, (rows + columns) * 3 % 200], axis=2)
    return Image.fromarray((gradient + noise).astype(np.uint8)).convert(mode)


def saved(image: Image.Image, kind: str, **how: Any) -> bytes:
    """The bytes of a file of this kind."""
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def _cut(name: str, content: bytes, tries: int) -> Iterator[tuple[str, bytes]]:
    for part in range(1, tries):
        yield f"{name} cut at {part} of {tries}", content[: len(content) * part // tries]


def _flipped(name: str, content: bytes, tries: int) -> Iterator[File]:
    rng = np.random.default_rng(len(content))
    for number in range(tries):
        changed = np.frombuffer(content, dtype=np.uint8).copy()
        where = rng.integers(0, len(changed), rng.integers(1, 12))
        changed[where] ^= rng.integers(1, 256, len(where), dtype=np.uint8)
        yield File(f"{name} with flipped bytes {number}", changed.tobytes(), EITHER)


# JPEG


def _jpegs() -> Iterator[File]:
    for mode in ("L", "RGB"):
        for options in (
            {}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 1}, {"restart_marker_rows": 1},
            {"quality": 1}, {"quality": 100}, {"progressive": True, "restart_marker_blocks": 2},
        ):  # fmt: skip
            yield File(f"jpeg {mode} {options}", saved(scene(mode=mode), "JPEG", **options), DECODED)
    for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"):
        yield File(f"jpeg {sampling}", saved(scene(33, 31), "JPEG", subsampling=sampling), DECODED)
    yield File("jpeg sampled 4 by 1", _with_sampling(0x41), EITHER)
    yield File("jpeg in rgb", saved(scene(), "JPEG", keep_rgb=True), DECODED)
    yield File("jpeg cmyk", cmyk := saved(scene(mode="CMYK"), "JPEG"), PRINT)
    yield File("jpeg ycck", _with_adobe_transform(cmyk, 2), PRINT)
    yield File("jpeg of wide integers in tables", saved(scene(), "JPEG", qtables=[[255] * 64] * 2), DECODED)


def _with_sampling(factors: int) -> bytes:
    """A JPEG whose header claims other factors than its data were made with."""
    content = bytearray(saved(scene(), "JPEG", subsampling="4:4:4"))
    content[content.index(b"\xff\xc0") + 11] = factors
    return bytes(content)


def _with_adobe_transform(content: bytes, transform: int) -> bytes:
    segment = content.index(b"Adobe")
    return content[: segment + 11] + bytes([transform]) + content[segment + 12 :]


def segment(code: int, payload: bytes) -> bytes:
    """A segment of JPEG."""
    return b"\xff" + bytes([code]) + struct.pack(">H", len(payload) + 2) + payload


def exif(orientation: int | str, order: str = "<", kind: int = 3) -> bytes:
    """EXIF that holds an orientation alone."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    if isinstance(orientation, str):
        kind, value = 2, orientation.encode()[:4].ljust(4, b"\0")
    else:
        value = struct.pack(order + {3: "H", 4: "L"}[kind], orientation).ljust(4, b"\0")
    entry = struct.pack(order + "HHL", 0x0112, kind, 1) + value
    return b"Exif\0\0" + start + struct.pack(order + "LH", 8, 1) + entry + bytes(4)


def with_segments(*segments: bytes) -> bytes:
    """A JPEG with segments before all others."""
    content = saved(scene(40, 24), "JPEG")
    return content[:2] + b"".join(segments) + content[2:]


def _jpegs_with_metadata() -> Iterator[File]:
    for orientation in (*range(1, 9), 0, 9, 65535):
        for order in "<>":
            content = with_segments(segment(0xE1, exif(orientation, order)))
            yield File(f"jpeg of orientation {orientation} {order}", content, DECODED)
    yield File("jpeg of orientation as a long", with_segments(segment(0xE1, exif(6, ">", 4))), DECODED)
    yield File("jpeg of orientation as text", with_segments(segment(0xE1, exif("six"))), DECODED)
    huge = exif(1) + np.random.default_rng(0).bytes(65_000)
    for name, payload in {
        "huge": huge, "empty": b"Exif\0\0", "cut": exif(6)[:20], "noise": b"Exif\0\0" + huge[-5000:],
        "a loop": b"Exif\0\0II*\0" + struct.pack("<LHHHLLL", 8, 1, 0x8769, 4, 1, 8, 8),
        "a far offset": b"Exif\0\0II*\0" + struct.pack("<L", 2**32 - 1), "tags over each other": _overlapping_tags(),
    }.items():  # fmt: skip
        yield File(f"jpeg with exif that is {name}", with_segments(segment(0xE1, payload)), DECODED)
    resources = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5000
    yield File("jpeg with photoshop's resources", with_segments(segment(0xED, resources)), DECODED)
    yield File("jpeg with a broken profile", with_segments(segment(0xE2, b"ICC_PROFILE\0\x09\x01junk")), DECODED)
    index = b"MPF\0II*\0" + struct.pack("<LHHHLL", 8, 1, 0xB001, 4, 1, 2**31)
    yield File("jpeg with a false index of pictures", with_segments(segment(0xE2, index)), DECODED)
    yield File("jpeg with a comment", with_segments(segment(0xFE, b"\xff\xd9\xff\xda" * 9)), DECODED)
    yield File("jpeg with fill bytes", with_segments(b"\xff" * 99), DECODED)
    thumbnail = exif(1) + saved(scene(8, 8), "JPEG")
    yield File("jpeg with a thumbnail", with_segments(segment(0xE1, thumbnail)), DECODED)
    frames = {"save_all": True, "append_images": [scene(seed=1)]}
    yield File("mpo", saved(scene(), "MPO", **frames), DECODED)


def _overlapping_tags() -> bytes:
    """Thousands of tags that all point at the same bytes."""
    number = 5000
    tags = b"".join(struct.pack("<HHLL", tag, 7, 60_000, 8) for tag in range(1, number + 1))
    return b"Exif\0\0II*\0" + struct.pack("<LH", 8, number) + tags + bytes(4)


def _broken_jpegs() -> Iterator[File]:
    content = saved(scene(), "JPEG")
    data = content.index(b"\xff\xda") + 14  # behind the header of its only scan
    for name, part in _cut("jpeg", content, 20):
        yield File(name, part, DAMAGED if len(part) > data else NONE)
    several = saved(scene(64, 64), "JPEG", progressive=True)
    data = several.index(b"\xff\xda") + 10
    for name, part in _cut("progressive jpeg", several, 20):
        yield File(name, part, DAMAGED if len(part) > data else NONE)
    yield File("jpeg without its end", content[:-2], DECODED)
    yield File("jpeg without half of its end", content[:-1], DECODED)
    yield File("progressive jpeg without its end", several[:-2], DAMAGED)
    yield from _flipped("jpeg", content, 60)
    yield from _flipped("progressive jpeg", several, 20)
    yield File("jpeg before garbage", content + np.random.default_rng(1).bytes(5000), DECODED)
    yield File("jpeg before another", content + saved(scene(seed=1), "JPEG"), DECODED)
    yield File("jpeg behind garbage", b"garbage" + content, NONE)
    yield File("jpeg behind a byte", b"\0" + content, NONE)
    frame = content.index(b"\xff\xc0")
    for height, width, expected in ((65535, 65535, LARGE), (0, 32, NONE), (32, 0, NONE), (0, 0, NONE)):
        size = struct.pack(">HH", height, width)
        patched = content[: frame + 5] + size + content[frame + 9 :]
        yield File(f"jpeg that claims {width} x {height}", patched, expected)
    yield File("jpeg of 12 bits", content[: frame + 4] + b"\x0c" + content[frame + 5 :], NONE)
    for code in (0xC3, 0xC5, 0xC9, 0xCA, 0xCF):
        yield File(f"jpeg of kind {code:x}", content[: frame + 1] + bytes([code]) + content[frame + 2 :], "rare kind")
    for number in (2, 5, 255):
        patched = content[: frame + 9] + bytes([number]) + content[frame + 10 :]
        yield File(f"jpeg of {number} colours", patched, NONE)
    yield File("jpeg of two frames", content[:frame] + content[frame : frame + 19] + content[frame:], EITHER)
    yield File("jpeg without tables", content.replace(b"\xff\xdb", b"\xff\xec"), EITHER)
    yield File("jpeg without codes", content.replace(b"\xff\xc4", b"\xff\xec"), EITHER)
    yield File("jpeg of start and end", b"\xff\xd8\xff\xd9", NONE)
    yield File("jpeg whose segment has no length", content[:2] + b"\xff\xe1\0\0" + content[2:], EITHER)
    yield File("jpeg whose segment goes beyond it", content[:2] + b"\xff\xe1\xff\xff" + content[2:], NONE)


def _jpeg_bombs() -> Iterator[File]:
    yield File("jpeg with a million comments", with_segments(segment(0xFE, b"") * 1_000_000), TOO_MANY)
    yield File("jpeg with millions of fill bytes", with_segments(b"\xff" * 8_000_000), DECODED)
    yield File("jpeg with millions of zeros", with_segments(segment(0xFE, b"") + b"\0" * 8_000_000), DECODED)
    yield File("jpeg with fill bytes to no end", b"\xff\xd8" + b"\xff" * 8_000_000, NONE)
    yield File("jpeg with exif of many segments", with_segments(segment(0xE1, exif(1) + bytes(65_000)) * 400), DECODED)
    yield File("jpeg with millions of resources", with_segments(_resources() * 200), DECODED)
    for megapixels, scans, expected in ((49, 3000, TOO_MANY), (49, 10, DECODED), (0.001, 3000, DECODED)):
        yield File(f"jpeg of {megapixels} megapixels in {scans} scans", _many_scans(megapixels, scans), expected)
    yield File("jpeg of a million scans", _many_scans(0.001, 1_000_000), TOO_MANY)
    content, size = saved(scene(), "JPEG"), struct.pack(">HH", 7000, 7000)
    frame = content.index(b"\xff\xc0")
    yield File("jpeg that claims 49 megapixels", content[: frame + 5] + size + content[frame + 9 :], EITHER)
    large = saved(Image.new("RGB", (7000, 7000), "teal"), "JPEG")
    yield File("large jpeg without its end", large[:-2], DAMAGED)
    several, padding = saved(scene(), "JPEG", progressive=True), bytes(15 * 2**20)
    yield File("progressive jpeg of 15 MiB", several[:-2] + padding + several[-2:], SLOW)
    yield File("progressive jpeg before 15 MiB", several + padding, DECODED)
    medium = saved(scene(2000, 1999), "JPEG")
    yield File("jpeg of 4 megapixels without its end", medium[:-2], DECODED)
    yield File("jpeg of 4 megapixels cut short", medium[:-200], DAMAGED)
    yield File("large jpeg cut short", large[:-9000], DAMAGED)


def _resources() -> bytes:
    return segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5400)


def _many_scans(megapixels: float, scans: int) -> bytes:
    """A grey progressive JPEG whose last scan is repeated."""
    side = int((megapixels * 1e6) ** 0.5)
    content = saved(Image.new("L", (side, side), 99), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + content[-2:]


# PNG

_PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, payload: bytes) -> bytes:
    """A chunk of PNG."""
    return struct.pack(">L", len(payload)) + kind + payload + struct.pack(">L", zlib.crc32(kind + payload))


def png(
    width: int, height: int, depth: int, colour: int, *, before: bytes = b"", data: bytes | None = None, passes: int = 0
) -> bytes:
    """A PNG of noise."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if data is None:
        rng = np.random.default_rng(depth)
        whole, starts = [(width, height)], ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4))
        starts = (*starts, (1, 0, 2, 2), (0, 1, 1, 2))  # type: ignore[assignment]
        if passes:
            whole = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in starts]
        rows = [b"\0" + rng.bytes((w * depth * channels + 7) // 8) for w, h in whole if w > 0 for _ in range(h)]
        data = zlib.compress(b"".join(rows))
    header = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, passes)
    palette = chunk(b"PLTE", bytes(range(48)) * 16) if colour == 3 else b""
    return _PNG + chunk(b"IHDR", header) + before + palette + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _pngs() -> Iterator[File]:
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            expected = DEPTH if depth == 16 else SEEN if colour in (4, 6) else DECODED  # noise in alpha too
            yield File(f"png of colour {colour}, {depth} bits", png(32, 32, depth, colour), expected)
            yield File(
                f"png of colour {colour}, {depth} bits, 7 passes", png(32, 32, depth, colour, passes=1), expected
            )
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield File(f"png {mode}", saved(scene(mode=mode), "PNG"), DECODED)
    yield File("png I;16", saved(Image.fromarray(np.full((32, 32), 999, dtype=np.uint16)), "PNG"), DEPTH)
    see_through = Image.merge("RGBA", [*scene().split(), Image.new("L", (32, 32), 0)])
    yield File("png that is all transparent", saved(see_through, "PNG"), SEEN)
    yield File("png palette with one transparent colour", saved(scene(mode="P"), "PNG", transparency=3), EITHER)
    many = saved(scene(mode="P"), "PNG", transparency=bytes(range(256)))
    yield File("png palette with transparency", many, SEEN)
    yield File("png rgb with a transparent colour", saved(scene(), "PNG", transparency=(1, 2, 3)), EITHER)
    yield File("png grey with a transparent colour", saved(scene(mode="L"), "PNG", transparency=5), EITHER)
    for orientation in (1, 6, 9):
        content = png(40, 24, 8, 2, before=chunk(b"eXIf", exif(orientation)[6:]))
        yield File(f"png of orientation {orientation}", content, DECODED)
    frames = {"save_all": True, "append_images": [scene(seed=1)]}
    yield File("apng", saved(scene(), "PNG", **frames), MOVING)
    yield File("apng with a first picture apart", saved(scene(), "PNG", default_image=True, **frames), MOVING)
    alone = chunk(b"acTL", struct.pack(">LL", 1, 0)) + chunk(b"fcTL", struct.pack(">LLLLLHHBB", *_WHOLE))
    yield File("apng of one picture", png(32, 32, 8, 2, before=alone), DECODED)
    yield File("apng of four billion pictures", png(32, 32, 8, 2, before=chunk(b"acTL", b"\xff" * 8)), EITHER)
    yield File("apng of two pictures, one there", png(32, 32, 8, 2, before=chunk(b"acTL", b"\0\0\0\2" * 2)), MOVING)
    yield File("png with a profile", saved(scene(), "PNG", icc_profile=b"junk" * 99), DECODED)


_WHOLE = (0, 32, 32, 0, 0, 1, 1, 0, 0)  # of a picture in an APNG


def _broken_pngs() -> Iterator[File]:
    content = saved(scene(), "PNG")
    for name, part in _cut("png", content, 20):
        yield File(name, part, DAMAGED if len(part) > 50 else NONE)
    yield from _flipped("png", content, 20)
    yield File("png without its end", content[:-12], EITHER)
    yield File("png with a wrong sum of its header", content[:29] + b"oops" + content[33:], NONE)
    data = content.index(b"IDAT")
    length = int.from_bytes(content[data - 4 : data], "big")
    wrong = content[: data + 4 + length] + b"oops" + content[data + 8 + length :]
    yield File("png with a wrong sum of its data", wrong, EITHER)
    for lie in (0, 1, length - 1, length + 1, 2**31 - 1, 2**31, 2**32 - 1):
        lying = content[: data - 4] + struct.pack(">L", lie) + content[data:]
        yield File(f"png whose data are {lie} bytes long", lying, EITHER)
    yield File("png of no width", png(0, 32, 8, 2, data=zlib.compress(b"")), NONE)
    yield File("png of no height", png(32, 0, 8, 2, data=zlib.compress(b"")), NONE)
    yield File("png of negative width", png(2**32 - 1, 32, 8, 2, data=zlib.compress(b"")), EITHER)
    yield File("png with too few data", png(32, 32, 8, 2, data=zlib.compress(b"\0" * 99)), DAMAGED)
    yield File("png with too many data", png(32, 32, 8, 2, data=zlib.compress(bytes(99_999))), DECODED)
    yield File("png whose data are not compressed", png(32, 32, 8, 2, data=b"plain" * 99), DAMAGED)
    yield File("png without a palette", png(32, 32, 8, 3).replace(b"PLTE", b"pLTE"), EITHER)
    yield File("png of 3 bits", _PNG + chunk(b"IHDR", struct.pack(">LLBBBBB", 32, 32, 3, 0, 0, 0, 0)), EITHER)
    yield File("png of colour 5", _PNG + chunk(b"IHDR", struct.pack(">LLBBBBB", 32, 32, 8, 5, 0, 0, 0)), EITHER)
    yield File("png without data", png(32, 32, 8, 2).replace(b"IDAT", b"IDOT"), EITHER)
    yield File("png with a short header", _PNG + chunk(b"IHDR", b"\0\0\0\x20"), NONE)
    yield File("png with two headers", png(32, 32, 8, 2, before=content[8:33]), EITHER)


def _png_bombs() -> Iterator[File]:
    zeros = zlib.compress(bytes(100_000_000), 9)
    profile = chunk(b"iCCP", b"x\0\0" + zeros)
    yield File("png with a profile of 100 MB", png(32, 32, 8, 2, before=profile), DECODED)
    fitting = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(60 * 2**20), 9))
    yield File("png with 200 profiles of 60 MiB", png(32, 32, 8, 2, before=fitting * 200), DECODED)
    text = chunk(b"zTXt", b"x\0\0" + zeros)
    yield File("png with a text of 100 MB", png(32, 32, 8, 2, before=text * 9), DECODED)
    text = chunk(b"iTXt", b"x\0\1\0\0\0" + zeros)
    yield File("png with an international text of 100 MB", png(32, 32, 8, 2, before=text * 9), DECODED)
    yield File("png of 900 megapixels", png(30_000, 30_000, 8, 2, data=zeros), LARGE)
    yield File("png of 4 billion squared", png(2**31 - 1, 2**31 - 1, 8, 2, data=zeros), LARGE)
    yield File("png of 49 megapixels of nothing", png(7000, 7000, 8, 0, data=zeros), DECODED)
    whole = png(32, 32, 8, 2)
    at = whole.index(b"IDAT") - 4
    for kind in (b"IDAT", b"tEXt", b"XXXX", b"xxXx"):
        yield File(f"png with 200,000 {kind.decode()}", whole[:at] + chunk(kind, b"") * 200_000 + whole[at:], TOO_MANY)


# GIF


def _gifs() -> Iterator[File]:
    content = saved(scene(mode="P"), "GIF")
    yield File("gif", content, DECODED)
    yield File("gif 87", b"GIF87a" + content[6:], DECODED)
    yield File("gif, grey", saved(scene(mode="L"), "GIF"), DECODED)
    yield File("gif in passes", saved(scene(mode="P"), "GIF", interlace=1), DECODED)
    yield File("gif with a transparent colour", saved(scene(mode="P"), "GIF", transparency=2), EITHER)
    yield File("gif with a comment", saved(scene(mode="P"), "GIF", comment=b"hi" * 999), DECODED)
    frames = {"save_all": True, "append_images": [scene(seed=1), scene(seed=2)]}
    yield File("gif that moves", moving := saved(scene(), "GIF", **frames), MOVING)
    yield File("gif before garbage", content + b"garbage" * 99, DECODED)
    for size in ((65535, 65535), (32, 65535), (0, 0), (33, 33)):
        expected = LARGE if min(size) > 9999 else EITHER
        yield File(f"gif on a canvas of {size}", content[:6] + struct.pack("<HH", *size) + content[10:], expected)
    for name, part in _cut("gif", content, 10):
        yield File(name, part, EITHER)
    for name, part in _cut("gif that moves", moving, 10):
        yield File(name, part, EITHER)
    yield from _flipped("gif", content, 20)
    yield File("gif whose transparent colour is 16", saved(scene(mode="P"), "GIF", transparency=16), EITHER)


def _gif_bombs() -> Iterator[File]:
    content = saved(scene(mode="P"), "GIF")
    comment = b"!\xfe" + (b"\xff" + b"x" * 255) * 200_000 + b"\0"
    at = content.index(b"!") if b"!" in content[:800] else content.index(b",")
    yield File("gif with a comment of 50 MB", content[:at] + comment + content[at:], DAMAGED)
    yield File("gif with a million extensions", content[:at] + b"!\x01\0" * 1_000_000 + content[at:], DAMAGED)
    yield File("gif with a million pictures", content[:-1] + content[content.index(b",") : -1] * 20_000, MOVING)
    yield File("gif of 49 megapixels", saved(Image.new("P", (7000, 7000)), "GIF"), DECODED)


# WebP


def _webps() -> Iterator[File]:
    content = saved(scene(), "WEBP")
    yield File("webp", content, DECODED)
    yield File("webp without loss", lossless := saved(scene(), "WEBP", lossless=True), DECODED)
    yield File("webp with alpha", saved(scene(mode="RGBA"), "WEBP"), DECODED)
    yield File("webp of orientation 6", saved(scene(40, 24), "WEBP", exif=exif(6)), DECODED)
    frames = {"save_all": True, "append_images": [scene(seed=1)]}
    yield File("webp that moves", moving := saved(scene(), "WEBP", **frames), MOVING)
    for kind, whole in {"webp": content, "webp without loss": lossless, "webp that moves": moving}.items():
        for name, part in _cut(kind, whole, 10):
            yield File(name, part, NONE)
    yield from _flipped("webp", content, 20)
    yield from _flipped("webp without loss", lossless, 10)


def _webp_bombs() -> Iterator[File]:
    yield File("webp of 15 MiB", saved(scene(), "WEBP").ljust(15 * 2**20, b"\0"), SLOW)
    moving = saved(scene(), "WEBP", save_all=True, append_images=[scene(seed=1)])
    huge = b"RIFF" + struct.pack("<L", 30) + b"WEBPVP8X" + struct.pack("<LL", 10, 2) + b"\xff" * 6
    opens = int(PIL.__version__.partition(".")[0]) >= 13  # an older Pillow sees no WEBP in it
    yield File("webp on a canvas of 16 million squared", huge, LARGE if opens else NONE)
    large = bytearray(moving)
    at = large.index(b"VP8X") + 12
    large[at : at + 6] = (16_383).to_bytes(3, "little") * 2
    yield File("webp that moves on 268 megapixels", bytes(large), LARGE)
    yield File("webp of 49 megapixels", saved(Image.new("RGB", (7000, 7000), "teal"), "WEBP", method=0), DECODED)


# BMP


def bmp(width: int, height: int, bits: int, data: bytes, *, compression: int = 0, header: int = 40) -> bytes:
    """A BMP with a grey palette where one is needed."""
    palette = b"".join(bytes([n * 255 // (2**bits - 1)] * 3) + b"\0" for n in range(2**bits)) if bits <= 8 else b""
    start = 14 + header + len(palette)
    info = struct.pack("<LllHHLLllLL", header, width, height, 1, bits, compression, len(data), 0, 0, 0, 0)
    return b"BM" + struct.pack("<LLL", start + len(data), 0, start) + info[:header] + palette + data


def _bmps() -> Iterator[File]:
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield File(f"bmp {mode}", saved(scene(mode=mode), "BMP"), DECODED)
    noise = np.random.default_rng(0).bytes(32 * 32 * 4)
    for bits in (1, 4, 8, 16, 24, 32):
        rows = noise[: (32 * bits + 31) // 32 * 4 * 32]
        yield File(f"bmp of {bits} bits", content := bmp(32, 32, bits, rows), DECODED)
        yield File(f"bmp of {bits} bits from the top", bmp(32, -32, bits, rows), DECODED)
        yield File(f"bmp of {bits} bits cut short", content[:-100], DAMAGED)
    yield File("bmp in runs", bmp(32, 32, 8, (b"\x20\x07\0\0" * 32) + b"\0\1", compression=1), DECODED)
    yield File("bmp in runs of 4 bits", bmp(32, 32, 4, (b"\x20\x07\0\0" * 32) + b"\0\1", compression=2), DECODED)
    for size in ((2**31 - 1, 2**31 - 1), (2**31 - 1, -(2**31)), (10**5, 10**5)):
        yield File(f"bmp of {size}", bmp(*size, 24, noise), LARGE)
    for size in ((0, 0), (-32, 32), (32, 0)):
        yield File(f"bmp of {size}", bmp(*size, 24, noise), EITHER)
    for compression in (3, 4, 5, 6, 99):
        yield File(f"bmp of compression {compression}", bmp(32, 32, 24, noise, compression=compression), EITHER)
    content = bmp(32, 32, 24, noise)
    for header in (0, 12, 64, 108, 124, 2**31, 2**32 - 1):
        yield File(f"bmp with a header of {header}", content[:14] + struct.pack("<L", header) + content[18:], EITHER)
    yield File("bmp with far pixels", content[:10] + struct.pack("<L", 2**32 - 1) + content[14:], DAMAGED)
    yield from _flipped("bmp", content[:200] + bytes(len(content) - 200), 20)


def _bmp_bombs() -> Iterator[File]:
    yield File("bmp in millions of runs", bmp(7000, 7000, 8, b"\1\7" * 8_000_000, compression=1), DAMAGED)
    yield File("bmp that moves about", bmp(7000, 7000, 8, b"\0\2\xff\xff" * 40_000, compression=1), EITHER)


# TIFF

Tags = dict[int, tuple[int, tuple[int, ...]]]


def tiff(tags: Tags, data: bytes = b"", *, order: str = "<", next_one: int = 0) -> bytes:
    """A TIFF of one directory; `data` lie at 8."""
    sizes = {1: "B", 3: "H", 4: "L"}
    start, entries, far = 8 + len(data), b"", b""
    behind = start + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{sizes[kind]}", *values)
        if len(packed) > 4:
            far, packed = far + packed, struct.pack(order + "L", behind + len(far))
        entries += struct.pack(order + "HHL", tag, kind, len(values)) + packed.ljust(4, b"\0")
    first = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "L", next_one)
    return first + struct.pack(order + "L", start) + data + directory + far


def _grey(width: int = 32, height: int = 32, **more: tuple[int, tuple[int, ...]]) -> Tags:
    """The tags of a grey picture in one strip at 8; more are given as t273=..."""
    plain: Tags = {
        256: (4, (width,)), 257: (4, (height,)), 258: (3, (8,)), 259: (3, (1,)), 262: (3, (1,)), 273: (4, (8,)),
        277: (3, (1,)), 278: (4, (height,)), 279: (4, (width * height,)),
    }  # fmt: skip
    return plain | {int(name[1:]): value for name, value in more.items()}


_NOISE = np.random.default_rng(2).bytes(1024)


def tiff_of_noise() -> bytes:
    """A grey TIFF that is not compressed."""
    return tiff(_grey(), _NOISE)


def _tiffs() -> Iterator[File]:
    good, print_, deep = ("1", "L", "LA", "P", "RGB", "RGBA"), ("CMYK",), ("F", "I", "I;16", "LAB", "YCbCr")
    for expected, modes in ((DECODED, good), (PRINT, print_), (DEPTH, deep)):
        for mode in modes:
            if mode == "LAB":
                image = Image.merge("LAB", scene().split())
            else:
                image = scene(mode="L").convert("I").convert(mode) if mode == "I;16" else scene(mode=mode)
            yield File(f"tiff {mode}", saved(image, "TIFF"), EITHER if mode in ("YCbCr", "LA") else expected)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg", "lzma", "zstd"):
        yield File(
            f"tiff by {compression}",
            saved(scene(), "TIFF", compression=compression),
            TIFF_JPEG if compression == "jpeg" else DECODED,
        )
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield File(f"tiff by {compression}", saved(scene(mode="1"), "TIFF", compression=compression), DECODED)
    tiles = ImageFileDirectory_v2()
    tiles[322] = tiles[323] = 16
    for compression in ("raw", "tiff_lzw"):
        tiled = saved(scene(), "TIFF", compression=compression, tiffinfo=tiles)
        yield File(f"tiff in tiles by {compression}", tiled, EITHER)
    corners: Tags = {322: (4, (16,)), 323: (4, (16,)), 324: (4, (8, 264, 520, 776)), 325: (4, (256,) * 4)}
    without = {tag: value for tag, value in _grey().items() if tag not in (273, 278, 279)}
    yield File("tiff in four tiles", tiff(without | corners, _NOISE), DECODED)
    for order in "<>":
        yield File(f"tiff {order}", tiff(_grey(), _NOISE, order=order), DECODED)
        strips: Tags = {273: (4, tuple(range(8, 1032, 32))), 278: (3, (1,)), 279: (4, (32,) * 32)}
        yield File(f"tiff in strips {order}", tiff(_grey() | strips, _NOISE, order=order), DECODED)
    for orientation in (*range(9), 9, 65535):
        wide = saved(scene(40, 24), "TIFF", tiffinfo={274: orientation})
        yield File(f"tiff of orientation {orientation}", wide, DECODED)
    frames = {"save_all": True, "append_images": [scene(seed=1)]}
    yield File("tiff of two pages", saved(scene(), "TIFF", **frames), MOVING)
    yield File("tiff for more than 4 GiB", saved(scene(), "TIFF", big_tiff=True), NONE)


def _broken_tiffs() -> Iterator[File]:
    content, lzw = saved(scene(), "TIFF"), saved(scene(), "TIFF", compression="tiff_lzw")
    for name, part in (*_cut("tiff", content, 10), *_cut("tiff by lzw", lzw, 10)):
        yield File(name, part, EITHER)
    yield from _flipped("tiff", tiff(_grey(), _NOISE)[-140:], 5)
    for whole in (lzw, saved(scene(), "TIFF", compression="jpeg"), tiff(_grey(), _NOISE)):
        yield from _flipped(f"tiff of {len(whole)} bytes", whole, 10)
    start = 8 + len(_NOISE)
    yield File("tiff whose next page is its first", tiff(_grey(), _NOISE, next_one=start), EITHER)
    yield File("tiff whose next page is nowhere", tiff(_grey(), _NOISE, next_one=2**32 - 1), EITHER)
    yield File("tiff without a directory", b"II*\0" + struct.pack("<L", 2**32 - 1), NONE)
    yield File("tiff whose directory is its header", b"II*\0" + struct.pack("<L", 0) + bytes(99), NONE)
    yield File("tiff of no size", tiff(_grey(0, 0), _NOISE), EITHER)
    yield File("tiff of an unknown compression", tiff(_grey(t259=(3, (999,))), _NOISE), NONE)
    yield File("tiff of 255 channels", tiff(_grey(t277=(3, (255,))), _NOISE), NONE)
    yield File("tiff of 60,000 channels", tiff(_grey(t277=(4, (60_000,))), _NOISE), NONE)
    yield File("tiff with far strips", tiff(_grey(t273=(4, (2**32 - 1,))), _NOISE), DAMAGED)
    yield File("tiff without strips", tiff({k: v for k, v in _grey().items() if k != 273}, _NOISE), NONE)
    yield File("tiff that is compressed by nothing", tiff(_grey(t259=(3, (5,))), _NOISE), EITHER)
    for compression in (2, 3, 4, 6, 7, 8, 32773, 32809, 32946, 34676, 34925, 50000, 50001):
        yield File(f"tiff that claims compression {compression}", tiff(_grey(t259=(3, (compression,))), _NOISE), EITHER)


def _tiff_bombs() -> Iterator[File]:
    many = dict.fromkeys(range(1000, 60_000), (4, (1,)))
    yield File("tiff of 59,000 tags", tiff(_grey() | many, _NOISE), TOO_MANY)
    strips = (4, tuple(range(8, 8 + 1_000_000)))
    yield File("tiff of a million strips", tiff(_grey(16, 1_000_000, t273=strips, t278=(3, (1,)))), TOO_MANY)
    yield File("tiff of a million spare strips", tiff(_grey(t273=strips, t278=(3, (1,)))), TOO_MANY)
    bytewise = (1, (8,) * 1_000_000)
    yield File("tiff of a million strips in bytes", tiff(_grey(t273=bytewise, t278=(3, (1,)))), TOO_MANY)
    yield File("tiff of a million depths", tiff(_grey(t258=(3, (8,) * 1_000_000)), _NOISE), TOO_MANY)
    rows: Tags = {273: (4, tuple(range(8, 8 + 16 * 60_000, 16))), 278: (3, (1,)), 279: (4, (16,) * 60_000)}
    yield File("tiff of 60,000 strips", tiff(_grey(16, 60_000) | rows, bytes(960_000)), DECODED)
    zeros = zlib.compress(bytes(49_000_000), 9)
    packed = _grey(7000, 7000, t259=(3, (8,)), t279=(4, (len(zeros),)))
    yield File("tiff of 49 megapixels of nothing", tiff(packed, zeros), DECODED)
    packed = _grey(30_000, 30_000, t259=(3, (8,)), t279=(4, (len(zeros),)))
    yield File("tiff of 900 megapixels", tiff(packed, zeros), LARGE)
    packed = _grey(2**32 - 1, 2**32 - 1, t279=(4, (9,)))
    yield File("tiff of 4 billion squared", tiff(packed, zeros), LARGE)


# Others


def _other_formats() -> Iterator[File]:
    kinds = {"JPEG2000": "RGB", "ICO": "RGB", "ICNS": "RGB", "PPM": "RGB", "TGA": "RGB", "DDS": "RGB", "EPS": "RGB",
             "PDF": "RGB", "PCX": "RGB", "SGI": "RGB", "MSP": "1", "XBM": "1", "SPIDER": "F", "BLP": "P",
             "QOI": "RGB", "DIB": "RGB"}  # fmt: skip
    Image.init()
    for kind, mode in kinds.items():
        if kind in Image.SAVE:
            yield File(kind.lower(), saved(scene(mode=mode), kind), NONE)
    yield File("pgm", saved(scene(mode="L"), "PPM"), NONE)
    if features.check("avif"):
        yield File("avif", saved(scene(), "AVIF"), NONE)
    box = struct.pack(">L", 24) + b"ftyp"
    for brand in (b"heic", b"heix", b"mif1", b"avif", b"qt  "):
        yield File(f"box of {brand.decode()}", box + brand + bytes(4) + b"mif1" + brand + bytes(200), NONE)
    yield File("psd", b"8BPS" + struct.pack(">H6xHLLHH", 1, 3, 32, 32, 8, 3) + bytes(4000), NONE)
    yield File("fits", b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800) + bytes(2880), NONE)
    yield File("svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', NONE)
    yield File("svg of external things", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "/etc/hosts">]>', NONE)
    yield File("eps that deletes", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n(x) deletefile\n", NONE)
    yield File("eps in binary", b"\xc5\xd0\xd3\xc6" + bytes(26) + b"%!PS\n%%BoundingBox: 0 0 32 32\n", NONE)
    yield File("wmf", b"\xd7\xcd\xc6\x9a" + bytes(200), NONE)
    yield File("emf", b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(200), NONE)
    yield File("fli", struct.pack("<LHHHH", 128, 0xAF12, 1, 32, 32) + bytes(200), NONE)
    yield File("photo cd", bytes(2048) + b"PCD_" + bytes(8000), NONE)
    yield File("xpm", b"/* XPM */\nstatic char *x[] = {\n", NONE)
    yield File("raw of a camera", b"II\x1a\0\0\0HEAPCCDR" + bytes(200), NONE)
    yield File("jpeg xl", b"\xff\x0a" + bytes(100), NONE)
    yield File("jpeg xr", b"II\xbc\x01" + bytes(100), NONE)


def _polyglots() -> Iterator[File]:
    jpeg, gif, whole_png = saved(scene(), "JPEG"), saved(scene(mode="P"), "GIF"), saved(scene(), "PNG")
    yield File("jpeg and zip", jpeg + _zip(), DECODED)
    yield File("jpeg and html", with_segments(segment(0xFE, b"<html><script>alert(1)</script>")), DECODED)
    yield File("gif and javascript", gif + b"/*;*/=1;alert(1);//", DECODED)
    yield File("png and pdf", whole_png + b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF", DECODED)
    yield File("png and php", png(32, 32, 8, 2, before=chunk(b"tEXt", b"x\0<?php system($_GET[0]);?>")), DECODED)
    yield File("zip and jpeg", _zip() + jpeg, NONE)
    disguised = bytearray(tiff(_grey(64, 64), bytes(4096 + 4096)))
    disguised[2048:2052] = b"PCD_"  # what another decoder looks for
    yield File("tiff and photo cd", bytes(disguised), DECODED)
    yield File("jpeg in tiff", b"II*\0" + jpeg, NONE)
    yield File("webp and jpeg", b"RIFF\0\0\0\0WEBP" + jpeg, NONE)
    yield File("bmp and text", b"BM" + b" is a place in the south\n" * 20, EITHER)
    yield File("text that begins as tiff does", b"MM, dear, II shall write\n" * 20, NONE)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../evil.txt", "x" * 99)
    return file.getvalue()


def _no_photographs() -> Iterator[File]:
    yield File("nothing", b"", "an empty file")
    yield File("a byte", b"\xff", NONE)
    yield File("a zero", b"\0", NONE)
    magics = (
        b"\xff\xd8", b"\xff\xd8\xff", _PNG, b"GIF87a", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WEBPVP8 ",
        b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*", b"\0\0\0\x0cjP  \r\n\x87\n", b"8BPS", b"%!PS",
        b"%PDF", b"P6", b"DDS ", b"icns", b"\0\0\1\0", b"qoif", b"\x0a\x05\x01\x08", b"PK\3\4", b"\x1f\x8b", b"\x7fELF",
        b"MZ", b"LOVE",
    )  # fmt: skip
    for magic in magics:
        for name, content in ((f"{magic!r} alone", magic), (f"{magic!r} before zeros", magic + bytes(500))):
            yield File(name, content, EITHER if magic == b"BM" else NONE)
    yield File("text", b"name,pred\na.jpg,0.5\n", NONE)
    yield File("text in utf-16", "photograph".encode("utf-16"), NONE)
    yield File("html", b"<!DOCTYPE html><html><title>Log in</title></html>", "an HTML page")
    yield File("html with space before", b"\xef\xbb\xbf\n  <HTML>", "an HTML page")
    yield File("git lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer")
    yield File("zip", _zip(), NONE)
    yield File("gzip", gzip.compress(saved(scene(), "JPEG"), mtime=0), NONE)
    yield File("elf", b"\x7fELF\2\1\1" + bytes(500), NONE)
    yield File("python's pickle", b"\x80\x04cos\nsystem\n(S'true'\ntR.", NONE)
    yield File("zeros", bytes(100_000), NONE)
    for number in range(20):
        yield File(f"noise {number}", np.random.default_rng(number).bytes(997), NONE)


def _sizes() -> Iterator[File]:
    for width, height in ((1, 1), (1, 10_000), (10_000, 1), (16, 15), (15, 16), (15, 10_000)):
        for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"):
            yield File(f"{kind} of {width} x {height}", saved(scene(width, height), kind), SMALL)
    for width, height in ((16, 16), (16, 10_000), (10_000, 16), (17, 31)):
        for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"):
            yield File(f"{kind} of {width} x {height}", saved(scene(width, height), kind), DECODED)
    for colour in ("black", "white"):
        for kind in ("PNG", "JPEG", "WEBP"):
            yield File(f"{kind}, all {colour}", saved(Image.new("RGB", (32, 32), colour), kind), DECODED)
    for width in (160, 316, 720):  # whose rows take 160 bytes, or 2160
        yield File(f"bmp of {width} x 16", saved(scene(width, 16), "BMP"), DECODED)
        yield File(f"grey bmp of {width} x 16", saved(scene(width, 16, "L"), "BMP"), DECODED)


def _large() -> Iterator[File]:
    yield File("png of 16 x 3,000,000", saved(Image.new("L", (16, 3_000_000)), "PNG"), DECODED)
    yield File("png of 3,000,000 x 16", saved(Image.new("L", (3_000_000, 16)), "PNG"), DECODED)
    yield File("png just under 50 megapixels", saved(Image.new("L", (7000, 7140), 99), "PNG"), DECODED)
    yield File("png just over 50 megapixels", saved(Image.new("L", (7000, 7143), 99), "PNG"), LARGE)
    jpeg = saved(scene(), "JPEG")
    yield File("just 64 MiB", jpeg.ljust(64 * 2**20, b"\0"), DECODED)
    yield File("just over 64 MiB", jpeg.ljust(64 * 2**20 + 1, b"\0"), "larger than 64 MiB")
