"""Faults of archives: bombs, links, paths that lead out, archives in archives, and files that are cut."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bad_input.cases import ACCEPTED, Case, flipped

Content = dict[str, bytes]


def _taken(folder: Path) -> Content:
    """Take the photographs out of the folder, by name; the tables stay."""
    found = {}
    for split in ("train", "test"):
        for path in sorted((folder / "data" / split).iterdir()):
            found[f"{split}/{path.name}"] = path.read_bytes()
        shutil.rmtree(folder / "data" / split)
    return found


def zipped(content: Content, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(content: Content, *members: tarfile.TarInfo) -> bytes:
    """Return a tar with further members that have no content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in members:
            archive.addfile(member)
    return file.getvalue()


def _member(name: str, kind: bytes, link: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    return member


def _nested(content: bytes, depth: int) -> bytes:
    for level in range(depth):
        content = zipped({f"level{level}.zip": content})
    return content


def _encrypted(content: Content) -> bytes:
    """Set the bit of encryption in each header."""
    data = bytearray(zipped(content))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(mark)
        while start >= 0:
            data[start + place] |= 1
            start = data.find(mark, start + 4)
    return bytes(data)


def _of_method(content: Content, method: int) -> bytes:
    data = bytearray(zipped(content))
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = data.find(mark)
        while start >= 0:
            data[start + place : start + place + 2] = struct.pack("<H", method)
            start = data.find(mark, start + 4)
    return bytes(data)


def _without_end(tar: bytes) -> bytes:
    """Return a tar without the zeros at its end, so that more can follow."""
    length = len(tar.rstrip(b"\0"))
    return tar[: -(-length // 512) * 512]


def _header_of_100_gigabytes() -> bytes:
    return _member("train/big.png", tarfile.REGTYPE, size=10**11).tobuf() + b"x" * 512


ARCHIVES: dict[str, Callable[[Content], bytes]] = {
    "a zip": zipped,
    "a tar": tarred,
    "a tar.gz": lambda content: gzip.compress(tarred(content)),
    "a tar.bz2": lambda content: bz2.compress(tarred(content)),
    "a tar.xz": lambda content: lzma.compress(tarred(content)),
    "a zip in a zip": lambda content: _nested(zipped(content), 1),
    "a zip in four zips": lambda content: _nested(zipped(content), 4),
    "a zip in forty zips": lambda content: _nested(zipped(content), 40),
    "a tar.gz in a tar": lambda content: tarred({"inner.tar.gz": gzip.compress(tarred(content))}),
    "a tar of gzipped photographs": lambda content: tarred({f"{n}.gz": gzip.compress(d) for n, d in content.items()}),
    "empty": lambda content: b"",
    "an empty zip": lambda content: zipped({}),
    "an empty tar": lambda content: tarred({}),
    "an empty tar.gz": lambda content: gzip.compress(tarred({})),
    "gzip of nothing": lambda content: gzip.compress(b""),
    "one byte": lambda content: b"P",
    "a text": lambda content: b"no archive",
    "the start of 7z": lambda content: b"7z\xbc\xaf\x27\x1c" + bytes(100),
    "the start of RAR": lambda content: b"Rar!\x1a\x07\x01\x00" + bytes(100),
    "with a password": _encrypted,
    "Deflate64": lambda content: _of_method(content, 9),
    "an unknown method": lambda content: _of_method(content, 77),
    "a path that leads out": lambda content: zipped({**content, "../../out.png": b"x"}),
    "a path that leads out in a tar": lambda content: tarred({**content, "../../out.png": b"x"}),
    "a path with backslashes that leads out": lambda content: zipped({**content, "..\\..\\out.png": b"x"}),
    "absolute paths": lambda content: tarred({f"/{name}": data for name, data in content.items()}),
    "a drive's paths": lambda content: zipped({f"C:\\data\\{name}": data for name, data in content.items()}),
    "a name with a zero byte": lambda content: tarred({**content, "train/a\0b.png": b"x"}),
    "a name of 5,000 characters": lambda content: tarred({**content, "train/" + "x" * 5_000 + ".png": b"x"}),
    "a photograph twice": lambda content: _without_end(tarred(content)) + tarred(content),
    "a link to a file outside": lambda content: tarred(content, _member("train/l.png", tarfile.SYMTYPE, "/etc/passwd")),
    "a link that leads out": lambda content: tarred(content, _member("train/l.png", tarfile.SYMTYPE, "../../../x")),
    "a link to itself": lambda content: tarred(content, _member("train/l.png", tarfile.SYMTYPE, "l.png")),
    "a hard link outside": lambda content: tarred(content, _member("train/l.png", tarfile.LNKTYPE, "/etc/passwd")),
    "a link that is a folder": lambda content: tarred(content, _member("train/d", tarfile.SYMTYPE, "/")),
    "a device": lambda content: tarred(content, _member("train/d.png", tarfile.CHRTYPE)),
    "a pipe": lambda content: tarred(content, _member("train/p.png", tarfile.FIFOTYPE)),
    "a size that is a lie": lambda content: _without_end(tarred(content)) + _header_of_100_gigabytes(),
    "a bomb": lambda content: zipped({**content, "train/bomb.png": bytes(300_000_000)}, zipfile.ZIP_DEFLATED),
    "a bomb in a tar.gz": lambda content: gzip.compress(tarred({**content, "train/bomb.png": bytes(300_000_000)}), 1),
    "a bomb of gzip in gzip": lambda content: gzip.compress(gzip.compress(bytes(300_000_000), 1)),
    "100,000 files of nothing": lambda content: zipped(dict.fromkeys((f"train/{n}.txt" for n in range(100_000)), b"")),
    "folders 500 deep": lambda content: tarred({**content, "d/" * 500 + "x.png": b"x"}),
    "junk of macOS": lambda content: zipped({**content, **{f"__MACOSX/{name}": b"x" for name in content}}),
    "train alone": lambda content: zipped({n: d for n, d in content.items() if n.startswith("train")}),
    "test alone": lambda content: zipped({n: d for n, d in content.items() if n.startswith("test")}),
    "one folder for both": lambda content: zipped({n.replace("/", "_"): d for n, d in content.items()}),
    "no photographs": lambda content: zipped({"readme.txt": b"x"}),
}  # fmt: skip


def _written(make: Callable[[Content], bytes], name: str = "faces.zip") -> Callable[[Path], object]:
    return lambda folder: (folder / "data" / name).write_bytes(make(_taken(folder)))


def _cuts() -> Iterator[tuple[str, Callable[[Content], bytes]]]:
    kinds = {
        "zip": zipped,
        "deflated zip": lambda content: zipped(content, zipfile.ZIP_DEFLATED),
        "tar": tarred,
        "tar.gz": lambda content: gzip.compress(tarred(content)),
        "tar.bz2": lambda content: bz2.compress(tarred(content)),
        "tar.xz": lambda content: lzma.compress(tarred(content)),
    }
    for kind, make in kinds.items():
        for share in (0.01, 0.1, 0.5, 0.9, 0.999):
            yield (
                f"a {kind}, {share:.1%} of it",
                lambda content, m=make, s=share: m(content)[: int(len(m(content)) * s)],
            )  # type: ignore[misc]
        yield f"a {kind}, a byte in the middle flipped", lambda content, m=make: flipped(m(content))  # type: ignore[misc]


def cases() -> Iterator[Case]:
    """Yield all cases."""
    for name, make in (*ARCHIVES.items(), *_cuts()):
        yield Case(f"archive: {name}", _written(make), SAID.get(name, ACCEPTED))


SAID: dict[str, str] = {
    "a zip in four zips": "found no folder of training and test photographs",
    "a zip in forty zips": "found no folder of training and test photographs",
    "empty": "is an empty file",
    "an empty zip": "found no folder of training and test photographs",
    "an empty tar": "is not a tar, zip or compressed file",
    "an empty tar.gz": "found no folder of training and test photographs",
    "gzip of nothing": "found no folder of training and test photographs",
    "one byte": "is not a tar, zip or compressed file",
    "a text": "is not a tar, zip or compressed file",
    "the start of 7z": "is a 7z archive",
    "the start of RAR": "is a RAR archive",
    "with a password": "has a password",
    "Deflate64": "is compressed with Deflate64",
    "an unknown method": "by a rare method (number 77)",
    "a path that leads out": "a path outside the archive",
    "a path that leads out in a tar": "a path outside the archive",
    "a path with backslashes that leads out": "a path outside the archive",
    "a drive's paths": "a path outside the archive",
    "a size that is a lie": "contains more files or bytes than are read",
    "a bomb of gzip in gzip": "found no folder of training and test photographs",
    "100,000 files of nothing": "found no folder of training and test photographs",
    "train alone": "found no folder of test photographs",
    "test alone": "found no folder of training photographs",
    "one folder for both": "found no folder of training and test photographs",
    "no photographs": "found no folder of training and test photographs",
    "a zip, 1.0% of it": "it is damaged or cut short",
    "a zip, 10.0% of it": "it is damaged or cut short",
    "a zip, 50.0% of it": "it is damaged or cut short",
    "a zip, 90.0% of it": "it is damaged or cut short",
    "a zip, 99.9% of it": "it is damaged or cut short",
    "a zip, a byte in the middle flipped": "it is damaged or cut short",
    "a deflated zip, 1.0% of it": "it is damaged or cut short",
    "a deflated zip, 10.0% of it": "it is damaged or cut short",
    "a deflated zip, 50.0% of it": "it is damaged or cut short",
    "a deflated zip, 90.0% of it": "it is damaged or cut short",
    "a deflated zip, 99.9% of it": "it is damaged or cut short",
    "a deflated zip, a byte in the middle flipped": "it is damaged or cut short",
    "a tar, 1.0% of it": "it is damaged or cut short",
    "a tar, 10.0% of it": "it is damaged or cut short",
    "a tar, 50.0% of it": "it is damaged or cut short",
    "a tar, 90.0% of it": "it is damaged or cut short",
    "a tar, a byte in the middle flipped": "unreadable or truncated photograph",
    "a tar.gz, 1.0% of it": "it is damaged or cut short",
    "a tar.gz, 10.0% of it": "it is damaged or cut short",
    "a tar.gz, 50.0% of it": "it is damaged or cut short",
    "a tar.gz, 90.0% of it": "it is damaged or cut short",
    "a tar.gz, 99.9% of it": "it is damaged or cut short",
    "a tar.gz, a byte in the middle flipped": "it is damaged or cut short",
    "a tar.bz2, 1.0% of it": "it is damaged or cut short",
    "a tar.bz2, 10.0% of it": "it is damaged or cut short",
    "a tar.bz2, 50.0% of it": "it is damaged or cut short",
    "a tar.bz2, 90.0% of it": "it is damaged or cut short",
    "a tar.bz2, 99.9% of it": "it is damaged or cut short",
    "a tar.bz2, a byte in the middle flipped": "it is damaged or cut short",
    "a tar.xz, 1.0% of it": "it is damaged or cut short",
    "a tar.xz, 10.0% of it": "it is damaged or cut short",
    "a tar.xz, 50.0% of it": "it is damaged or cut short",
    "a tar.xz, 90.0% of it": "it is damaged or cut short",
    "a tar.xz, 99.9% of it": "it is damaged or cut short",
    "a tar.xz, a byte in the middle flipped": "it is damaged or cut short",
}
