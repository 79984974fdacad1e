"""Reading an archive into memory: tar (plain or compressed), zip, or one compressed file. Nothing is written."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from pathlib import PurePosixPath
from typing import IO, Any

from ensemble.competition.kinds import is_junk, mistaken_for
from ensemble.competition.zip_names import open_zip, zip_name
from ensemble.core.console.text import brief
from ensemble.core.errors import UserError
from ensemble.core.storage.spool import Spool

_SUFFIX = re.compile(r"(\.tar)?\.(tar|tgz|tbz2?|txz|tzst|zip|gz|bz2|xz|zst|7z|rar)$", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")
_DEFLATE64 = 9
_READ_BY_ZIPFILE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_PASSWORD_FLAG = 0x1
_UNPACK = "unpack it, and pass the folder"
_CHUNK = 2**20
MAX_FILES = 1_000_000
MAX_BYTES = 64 * 2**30
MAX_FILE_BYTES = 4 * 2**30  # a file is read into memory as a whole


@dataclass
class Allowance:
    """How many files and bytes may still be read."""

    files: int = MAX_FILES
    bytes: int = MAX_BYTES

    def spend(self, name: str, size: int) -> None:
        """Count a file, and check the limits."""
        self.files -= 1
        self.bytes -= size
        self.check(name, size)

    def check(self, name: str, size: int) -> None:
        """Raise a `UserError` where the limits are reached, or that of one file, which has `size` bytes or more."""
        if self.files < 0 or self.bytes < 0 or size > MAX_FILE_BYTES:
            raise UserError(f"{name} contains more files or bytes than are read; is it the right file?")


@dataclass
class Content:
    """Files of an archive by relative POSIX path, and sentences about what was ignored.

    Bytes of names that are not UTF-8 are surrogates, as `os.fsdecode` has them.
    """

    files: MutableMapping[str, bytes] = field(default_factory=Spool)
    notes: list[str] = field(default_factory=list)


def is_archive(name: str) -> bool:
    """Return whether a file has a suffix of archives or of compressed files."""
    return _SUFFIX.search(name) is not None


def folder_of(name: str) -> str:
    """Return an archive's name without its suffix: the folder that its content would be unpacked into."""
    return _SUFFIX.sub("", name)


def read_archive(file: IO[bytes], name: str, allowance: Allowance | None = None) -> Content:
    """Read all files of an archive; its kind is recognised by its first bytes, whatever its suffix.

    Hard and symbolic links inside are resolved; other links and devices are passed over, and junk is too.

    Raises
    ------
    UserError
        It is no archive, has a password, is damaged, has a path outside it, or is larger than the allowance.
    """
    allowance = allowance or Allowance()
    try:
        start = file.read(1024)
        file.seek(0)
        return _reader(start, name)(file, name, allowance)
    except UserError:
        raise
    except Exception as error:  # what the readers raise on damaged bytes is no closed list
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{name} cannot be read: {error.strerror}") from None
        raise UserError(f"{name} cannot be read to its end: it is damaged or cut short; download it again") from None


def _reader(start: bytes, name: str) -> Callable[[IO[bytes], str, Allowance], Content]:
    for magic, reader in _READERS.items():
        if start.startswith(magic):
            return reader
    if _is_tar_header(start):
        return _read_tar
    if what := mistaken_for(start):
        raise UserError(f"{name} is {what}")
    raise UserError(f"{name} is not a tar, zip or compressed file; is it damaged, or another kind of file?")


def _is_tar_header(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _refuse(kind: str) -> Callable[[IO[bytes], str, Allowance], Content]:
    def reader(_file: IO[bytes], name: str, _allowance: Allowance) -> Content:
        raise UserError(f"{name} is {kind}, which is not read here; {_UNPACK}")

    return reader


def _zstandard(file: IO[bytes]) -> IO[bytes]:
    import pyarrow as pa  # has the decompressor that Python has only from 3.14 on

    stream: IO[bytes] = pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")
    return stream


class _Gunzip(RawIOBase):
    """Decompressed gzip that ends, as with gunzip, where bytes follow that are no gzip; all before has its checksum."""

    def __init__(self, file: IO[bytes]) -> None:
        self._inner = gzip.GzipFile(fileobj=file)
        self.trailing = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            content = self._inner.read1(len(buffer))
        except gzip.BadGzipFile as error:
            if not str(error).startswith("Not a gzipped file"):
                raise
            self.trailing = True
            return 0
        buffer[: len(content)] = content
        return len(content)


def _compressed(decompress: Callable[[IO[bytes]], Any]) -> Callable[[IO[bytes], str, Allowance], Content]:
    """Return a reader of a compressed tar, or of one compressed file, which is called like it without the suffix."""

    def reader(file: IO[bytes], name: str, allowance: Allowance) -> Content:
        raw = decompress(file)
        stream = BufferedReader(raw, _CHUNK)
        if _is_tar_header(stream.peek(tarfile.BLOCKSIZE)):
            found = _read_tar(stream, name, allowance)
        else:
            allowance.files -= 1
            found = Content({PurePosixPath(folder_of(name)).name: b"".join(_chunks(stream, name, allowance))})
        if getattr(raw, "trailing", False):
            found.notes.append(f"{name} is complete; bytes after its end ignored")
        return found

    return reader


def _chunks(stream: IO[bytes], name: str, allowance: Allowance) -> Iterator[bytes]:
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        allowance.bytes -= len(chunk)
        allowance.check(name, size)
        yield chunk


def _read_tar(file: IO[bytes], name: str, allowance: Allowance) -> Content:
    found, links = Content(), dict[str, str]()
    with tarfile.open(fileobj=file, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
        for entry in archive:
            path = _inside(name, entry.name)
            allowance.spend(name, entry.size)  # what is not kept must be decompressed too
            if entry.isreg() and not is_junk(path):
                found.files[path] = _whole(archive, entry)
            elif entry.islnk() or entry.issym():
                beside = PurePosixPath(path).parent if entry.issym() else PurePosixPath()
                links[path] = str(beside / entry.linkname.replace("\\", "/").lstrip("/"))
    for _ in _chunks(file, name, Allowance()):  # a stream cut between two files looks complete, but not to its checksum
        pass
    _resolve(found, links, name, allowance)
    return found


def _whole(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(entry)
    content = b"" if stream is None else stream.read()
    if len(content) != entry.size:
        raise EOFError
    return content


def _resolve(found: Content, links: dict[str, str], name: str, allowance: Allowance) -> None:
    """Give links the content of the files in the archive that they lead to; nobody needs the others."""
    waiting = {path: _normal(target) for path, target in links.items() if not is_junk(path)}
    while ready := [path for path, target in waiting.items() if target in found.files]:  # a link may lead to a link
        for path in ready:
            content = found.files[waiting.pop(path)]
            allowance.bytes -= len(content)
            allowance.check(name, len(content))
            found.files[path] = content


def _normal(path: str) -> str:
    """Return a path inside the archive without `..`."""
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
    return "/".join(parts)


def _read_zip(file: IO[bytes], name: str, allowance: Allowance) -> Content:
    found = Content()
    with open_zip(file) as archive:
        for entry in archive.infolist():
            path = _inside(name, zip_name(entry))
            if entry.is_dir() or is_junk(path) or stat.S_ISLNK(entry.external_attr >> 16):
                continue
            if entry.flag_bits & _PASSWORD_FLAG:
                raise UserError(f"{name} has a password; {_UNPACK}")
            if entry.compress_type == _DEFLATE64:
                raise UserError(
                    f"{name} is compressed with Deflate64, as the Windows Explorer does above 2 GB; {_UNPACK}, "
                    "or pack it again with another program"
                )
            if entry.compress_type not in _READ_BY_ZIPFILE:
                raise UserError(f"{name} is compressed by a rare method (number {entry.compress_type}); {_UNPACK}")
            allowance.spend(name, entry.file_size)
            found.files[path] = archive.read(entry)
    return found


def _inside(archive: str, name: str) -> str:
    """Return a name as a relative POSIX path. A leading / is dropped, as tar does."""
    pure = PurePosixPath(name.replace("\\", "/").lstrip("/"))
    if ".." in pure.parts or (pure.parts and _DRIVE.fullmatch(pure.parts[0])):
        raise UserError(f"{archive} contains {brief(name)}, a path outside the archive; do not trust it")
    return pure.as_posix()


_READERS = {
    b"\x1f\x8b": _compressed(_Gunzip),
    b"BZh": _compressed(bz2.BZ2File),
    b"\xfd7zXZ\x00": _compressed(lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": _compressed(_zstandard),
    b"PK\x03\x04": _read_zip,
    b"PK\x05\x06": _read_zip,
    b"7z\xbc\xaf\x27\x1c": _refuse("a 7z archive"),
    b"Rar!": _refuse("a RAR archive"),
}
