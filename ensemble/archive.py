"""Reading what organisers hand out, a folder or an archive, into memory. Nothing is ever written."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from ensemble.errors import UserError

_Read = Callable[[], bytes]

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
MAX_FILES = 1_000_000
MAX_BYTES = 64 * 2**30


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive which `read_files` opens."""
    return path.name.lower().endswith(SUFFIXES)


def read_files(path: Path, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> dict[str, bytes]:
    """All regular files below a folder, or in an archive, by their relative POSIX path.

    Hidden files and what operating systems add (`__MACOSX`) are passed over.

    Raises
    ------
    UserError
        The archive is damaged, holds a link, a device or a path that leads out of it, or is larger than the limits.
    """
    entries = _folder(path) if path.is_dir() else _zip(path) if path.suffix.lower() == ".zip" else _tar(path)
    files: dict[str, bytes] = {}
    total = 0
    try:
        for name, size, content in entries:
            total += size
            if len(files) >= max_files or total > max_bytes:
                raise UserError(f"{path} holds more than {max_files} files or {max_bytes} bytes; is it the right file?")
            if not _passed_over(name):
                files[name] = content()
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise UserError(f"{path} cannot be read to its end ({error}); fetch it again") from None
    return files


def _folder(path: Path) -> Iterator[tuple[str, int, _Read]]:
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file.stat().st_size, file.read_bytes


def _tar(path: Path) -> Iterator[tuple[str, int, _Read]]:
    with tarfile.open(path, mode="r:*") as archive:
        for entry in archive:
            if entry.isdir():
                continue
            if not entry.isreg():
                raise UserError(f"{path} holds {entry.name!r}, which is a link or a device; only plain files are read")
            yield _safe(path, entry.name), entry.size, partial(_content, archive, entry)
        _read_to_the_end(archive)


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(entry)
    if stream is None:
        raise EOFError(f"{entry.name} has no content")
    content = stream.read()
    if len(content) != entry.size:
        raise EOFError(f"{entry.name} is cut short")
    return content


def _read_to_the_end(archive: tarfile.TarFile) -> None:
    """A stream that was cut between two files looks complete to tarfile; only its decompressor knows better."""
    while archive.fileobj is not None and archive.fileobj.read(2**20):
        pass


def _zip(path: Path) -> Iterator[tuple[str, int, _Read]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise UserError(f"{path} holds {entry.filename!r}, which is a link; only plain files are read")
            yield _safe(path, entry.filename), entry.file_size, partial(archive.read, entry)


def _safe(path: Path, name: str) -> str:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or (pure.parts and ":" in pure.parts[0]):
        raise UserError(f"{path} holds {name!r}, a path that leads out of the archive; do not trust it")
    return pure.as_posix()


def _passed_over(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
