"""Files without what their pixels do not depend on, for decoders of strangers' photographs.

Metadata can be made to fill memory and to take minutes. Of JPEG and PNG decoders see only what the pixels depend on, of
the others a limited number of pieces.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # others' decoders are more than we need to trust
UNREADABLE: Final = f"no photograph that can be read ({', '.join(FORMATS)})"
TOO_MANY_PIECES: Final = "made of too many pieces for a photograph"
_MOST_BYTES_IF_SLOW: Final = 14 * 2**20  # of WebP and progressive JPEG, which are decoded at some 10 MiB a second
_MOST_PIECES: Final = 2**16  # chunks of PNG, segments of JPEG, strips of TIFF: each takes microseconds
_MOST_TAGS: Final = 500
_TOO_SLOW: Final = f"larger than {_MOST_BYTES_IF_SLOW // 2**20} MiB, and of a kind that takes long to decode"
_EXIF: Final = b"Exif\0\0"
_ORIENTATION: Final = 0x0112
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # of JPEG, but those within a scan
_END, _SCAN, _ALONE = 0xD9, 0xDA, (0x01, 0xD8)
_FRAMES: Final = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = 0xC2
_USUAL_FRAMES: Final = {0xC0, 0xC1, _PROGRESSIVE}  # with Huffman codes
_METADATA: Final = {*range(0xE0, 0xF0), 0xFE} - {0xE0, 0xEE}  # the first and the last but one are about colours
_PNG_KEPT: Final = (b"tRNS", b"acTL", b"fcTL")  # besides those which decoders must know
_LARGE_TIFFS: Final = (b"II+\0", b"MM\0+")  # for more than 4 GiB
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}  # of bytes, in TIFF and EXIF
_BYTES, _SHORT, _LONG = (1, 2, 7), 3, 4  # types of TIFF
_FIRST_OF_METADATA: Final = 700  # tags of TIFF


@dataclass(frozen=True)
class Bare:
    """A file without its metadata."""

    content: bytes
    orientation: int | None = None  # None: where its decoder puts it
    scans: int = 1


def bare(content: bytes) -> Bare | str:
    """Return the file without its metadata, or why no decoder should see it."""
    if content.startswith(b"\xff\xd8\xff"):
        return _bare_jpeg(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _bare_png(content)
    if content.startswith((b"II", b"MM")):
        return _plain_tiff(content)
    if content[8:12] == b"WEBP" and len(content) > _MOST_BYTES_IF_SLOW:
        return _TOO_SLOW
    return Bare(content)


def _bare_jpeg(content: bytes) -> Bare | str:
    """Leave out comments and the segments of applications, and what follows the photograph."""
    kept, orientation, scans, is_slow = [content[:2]], 1, 0, False
    at = begin = 2  # begin: of what is kept as it is, which is all from the first scan on
    for _ in range(_MOST_PIECES):
        found = _MARKER.search(content, at)
        if found is None or content[found.start() + 1] == _END:
            end = len(content) if found is None else found.end()
            if is_slow and end - begin > _MOST_BYTES_IF_SLOW:
                return _TOO_SLOW
            return Bare(b"".join([*kept, content[begin:end]]), orientation, scans)
        code, at = content[found.start() + 1], found.end()
        if code in _ALONE:
            continue
        if code in _FRAMES - _USUAL_FRAMES:
            return "a JPEG of a rare kind"
        is_slow |= code == _PROGRESSIVE
        segment = content[at : at + max(int.from_bytes(content[at : at + 2], "big"), 2)]  # its length is part of it
        at += len(segment)
        if scans:
            scans += code == _SCAN
            continue
        begin = at
        if code == _SCAN:
            begin, scans = found.start(), 1
        elif code not in _METADATA:
            kept.append(content[found.start() : at])
        elif orientation == 1 and segment[2:8] == _EXIF:
            orientation = orientation_of(segment[2:])
    return TOO_MANY_PIECES


def _bare_png(content: bytes) -> Bare | str:
    """Leave out texts, profiles of colours and the like, some of them compressed."""
    kept, orientation, at = [content[:8]], 1, 8
    for _ in range(_MOST_PIECES):
        kind, end = content[at + 4 : at + 8], at + 12 + int.from_bytes(content[at : at + 4], "big")
        if kind == b"eXIf" and orientation == 1:
            orientation = orientation_of(content[at + 8 : end - 4])
        if kind[:1].isupper() or kind in _PNG_KEPT:
            kept.append(content[at:end])
        if kind == b"IEND" or end >= len(content):
            return Bare(b"".join(kept), orientation)
        at = end
    return TOO_MANY_PIECES


def _plain_tiff(content: bytes) -> Bare | str:
    """Refuse what has more tags, or more values in one of them, than a photograph's decoder should go through."""
    if content[:4] in _LARGE_TIFFS:
        return UNREADABLE
    for number, (tag, kind, count, _) in enumerate(_tags(content)):
        if number >= _MOST_TAGS or (count > _MOST_PIECES and (kind not in _BYTES or tag < _FIRST_OF_METADATA)):
            return TOO_MANY_PIECES
    return Bare(content, 1)


def _tags(tiff: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield tag, type, count, and value (or where it is) of the first directory, as far as it goes."""
    order = _ORDERS.get(tiff[:4], "<")
    try:
        (start,) = struct.unpack_from(order + "L", tiff, 4)
        (number,) = struct.unpack_from(order + "H", tiff, start)
        for at in range(start + 2, start + 2 + 12 * number, 12):
            tag, kind, count = struct.unpack_from(order + "HHL", tiff, at)
            (value,) = struct.unpack_from(order + ("H" if kind == _SHORT else "L"), tiff, at + 8)
            yield tag, kind, count, value
    except struct.error:  # cut short
        return


def orientation_of(exif: bytes) -> int:
    """Return the orientation, 1 to 8; 1 where there is none, or nonsense."""
    tiff = exif.removeprefix(_EXIF)
    if tiff[:4] not in _ORDERS:
        return 1
    found = (value for tag, kind, _, value in _tags(tiff) if tag == _ORIENTATION and kind in (_SHORT, _LONG))
    value = next(found, 1)
    return value if 1 <= value <= 8 else 1
