"""One writer at a time: a lock that the system itself releases when its holder is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from ensemble.errors import UserError
from ensemble.oof import OofStore


@contextmanager
def only_writer(store: OofStore, what: str) -> Iterator[None]:
    """Hold a store's lock for `what` ("train" or "blend": the two do not disturb each other).

    Raises
    ------
    UserError
        Somebody else holds it.
    """
    store.root.parent.mkdir(parents=True, exist_ok=True)
    # Beside the store, not in it: a store may be set aside while the lock is held.
    lock = FileLock(store.root.with_name(f".{store.name}.{what}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"another {what} is writing to {store.root}; wait for it, or give another --oof") from None
    try:
        yield
    finally:
        lock.release()
