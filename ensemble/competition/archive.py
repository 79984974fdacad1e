"""Reading a competition's folder or archive into memory. Nothing is written."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, files_below

_Read = Callable[[], bytes]

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
MAX_FILES = 1_000_000
MAX_BYTES = 64 * 2**30
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, OSError, RuntimeError, NotImplementedError,
)  # fmt: skip


def is_archive(path: Location) -> bool:
    """Return whether `read_files` opens an archive of this name."""
    return path.name.lower().endswith(SUFFIXES)


def read_files(path: Location, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> dict[str, bytes]:
    """Read all regular files below a folder or in an archive, by their relative POSIX path.

    Hidden files and those that operating systems add (`__MACOSX`) are skipped.

    Raises
    ------
    UserError
        The archive is damaged, contains a link, a device or a path outside it, or is larger than the limits.
    """
    if path.is_dir():
        entries = files_below(path, include=lambda name: not _is_skipped(name))
    else:
        entries = _zip(path) if path.suffix.lower() == ".zip" else _tar(path)
    files: dict[str, bytes] = {}
    total = 0
    try:
        for name, size, content in entries:
            total += size
            if len(files) >= max_files or total > max_bytes:
                raise UserError(
                    f"{path} contains more than {max_files} files or {max_bytes} bytes; is it the right file?"
                )
            if not _is_skipped(name):
                files[name] = content()
    except _DAMAGE as error:
        raise UserError(f"{path} cannot be read to its end ({error}); download it again") from None
    return files


def _tar(path: Location) -> Iterator[tuple[str, int, _Read]]:
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:*") as archive:
        for entry in archive:
            if entry.isdir():
                continue
            if not entry.isreg():
                raise UserError(
                    f"{path} contains {entry.name!r}, which is a link or a device; only plain files are read"
                )
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
    """Read the rest: a stream cut between two files looks complete to tarfile, but not to its decompressor."""
    while archive.fileobj is not None and archive.fileobj.read(2**20):
        pass


def _zip(path: Location) -> Iterator[tuple[str, int, _Read]]:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise UserError(f"{path} contains {entry.filename!r}, which is a link; only plain files are read")
            yield _safe(path, entry.filename), entry.file_size, partial(archive.read, entry)


def _safe(path: Location, name: str) -> str:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or (pure.parts and ":" in pure.parts[0]):
        raise UserError(f"{path} contains {name!r}, a path outside the archive; do not trust it")
    return pure.as_posix()


def _is_skipped(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
