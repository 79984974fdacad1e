"""Lock for one writer at a time: a file lock in a folder, a lease on an object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location


@contextmanager
def only_writer(root: Location, what: str) -> Iterator[None]:
    """Hold the lock of a store, or of another output, for `what`.

    "train", "blend" and "robustness" do not exclude each other.

    Raises
    ------
    UserError
        Another process holds it or, on an object store, took it over because this one did not renew its lease.
    """
    # Beside the store, not in it: a store may be renamed while the lock is in use.
    place = root.with_name(f".{root.name}.{what}.lock")
    if not isinstance(place, Path):
        from ensemble.core.storage.lease import hold_lease  # fsspec takes 0.3 s, which local stores need not wait for

        with hold_lease(place, what, str(root)):
            yield
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"another process is writing to {root} ({what}); wait for it, or write elsewhere") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def taking_turns(root: Location, what: str) -> Iterator[None]:
    """Wait for other writers of the same part of a store. Object stores need no such lock: nothing is renamed there."""
    if not isinstance(root, Path):
        yield
        return
    with FileLock(root.with_name(f".{root.name}.{what}.lock")):
        yield
