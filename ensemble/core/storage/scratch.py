"""Files of one run in the folder for temporary files (`TMPDIR`), which end with the process that holds them."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ensemble.core.errors import UserError

PREFIX, SUFFIX = "ensemble-", ".array"
_LOCKS_SECONDS = 7 * 86_400.0  # after which the empty files beside arrays of nodes are removed
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def create_scratch_file(size: int) -> tuple[Path, int]:
    """Create a file of a size, and lock it; files that nobody locks are removed, since their process was killed.

    Returns
    -------
    (path, int)
        The file, and a descriptor: as long as it is open, the file is in use.

    Raises
    ------
    UserError
        The disk has no room for it, or there is no folder for temporary files.
    """
    try:
        _remove_abandoned()
        path, descriptor = _create_locked()
        try:
            _reserve(descriptor, size)
        except OSError:
            path.unlink(missing_ok=True)
            os.close(descriptor)
            raise
    except OSError as error:
        raise no_room(error, size) from None
    return path, descriptor


def lock_scratch_file(path: Path) -> int | None:
    """Return a descriptor that keeps a file of another process in use; None if it has been removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    _lock(descriptor, fcntl.LOCK_SH)
    if os.fstat(descriptor).st_nlink:
        return descriptor
    os.close(descriptor)
    return None


def no_room(error: OSError, size: int) -> UserError:
    """Return the error for `size` bytes that cannot be written."""
    if error.errno not in _FULL:
        return UserError(f"no temporary file can be written ({error.strerror or error}); set TMPDIR to a folder")
    return UserError(
        f"{tempfile.gettempdir()} has no room for {size / 2**30:.1f} GiB of photographs or their features "
        f"({error.strerror}); set TMPDIR to a folder that has"
    )


def _create_locked() -> tuple[Path, int]:
    while True:
        descriptor, name = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX)
        _lock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else another process took it for an abandoned one
            return Path(name), descriptor
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> None:
    with suppress(OSError):  # some network file systems have no locks; there nobody removes what was abandoned
        fcntl.flock(descriptor, kind)


def _reserve(descriptor: int, size: int) -> None:
    """Give a file its size, and its room on the disk where the system can; else a full disk is found on writing."""
    os.truncate(descriptor, size)
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno in _FULL:
                raise


def _remove_abandoned() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*.lock"):
        with suppress(OSError):
            if time.time() - lock.stat().st_mtime > _LOCKS_SECONDS:
                lock.unlink()
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
