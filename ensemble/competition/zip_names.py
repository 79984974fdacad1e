"""Names inside ZIP archives as they were meant: many programs state another encoding than the one that they use."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO
from typing import IO

_UTF8_FLAG = 0x800


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """Open an archive, even one whose names are not in the encoding that it states."""
    try:
        return zipfile.ZipFile(file)
    except UnicodeDecodeError:  # an entry states that its name is UTF-8, and it is not
        file.seek(0)
        return zipfile.ZipFile(BytesIO(_without_utf8_flags(file.read())))


def _without_utf8_flags(content: bytes) -> bytes:
    """Clear the flag "this name is UTF-8" of all entries, in the directory and before each file.

    Offsets are those of the ZIP format: flags at 6 in a local header; 8 in one of the directory, which has the
    offset of the local one at 42.
    """
    changed = bytearray(content)
    directory = struct.unpack_from("<I", content, content.rindex(b"PK\x05\x06") + 16)[0]
    place = directory
    while content[place : place + 4] == b"PK\x01\x02":
        lengths, local = (
            struct.unpack_from("<3H", content, place + 28),
            struct.unpack_from("<I", content, place + 42)[0],
        )
        for flags in (place + 8, local + 6):
            struct.pack_into("<H", changed, flags, struct.unpack_from("<H", content, flags)[0] & ~_UTF8_FLAG)
        place += 46 + sum(lengths)
    return bytes(changed)


def zip_name(entry: zipfile.ZipInfo) -> str:
    """Return the name of an entry. Without a flag it is UTF-8 where it can be, whatever the format's old code page."""
    if entry.flag_bits & _UTF8_FLAG or entry.filename.isascii():
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return entry.filename  # from a field of its own, in Unicode
