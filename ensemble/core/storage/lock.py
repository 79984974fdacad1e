"""One writer at a time. In a folder the system itself releases the lock of a killed holder; elsewhere it is watched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location


@contextmanager
def only_writer(root: Location, what: str) -> Iterator[None]:
    """Hold a store's lock for `what` ("train", "blend" or "robustness": they do not disturb each other).

    Raises
    ------
    UserError
        Somebody else holds it; or, on an object store, has taken it over since we were not heard of for a minute.
    """
    # Beside the store, not in it: a store may be set aside while the lock is held.
    place = root.with_name(f".{root.name}.{what}.lock")
    if not isinstance(place, Path):
        from ensemble.core.storage.lease import alone  # only a store that is not local should wait for fsspec

        with alone(place, what, str(root)):
            yield
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"another {what} is writing to {root}; wait for it, or give another --oof") from None
    try:
        yield
    finally:
        lock.release()
