"""A store takes the place of another one: completely, also where it is interrupted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ensemble.core.storage.files import Location, move_folder, remove_folder, write_text
from ensemble.core.storage.lock import only_writer
from ensemble.store.oof import STORE_MARKERS, OofStore

_SUFFIX: Final = "~update"
_COMPLETE: Final = "complete"  # file of a store that is to take the place of the other one


def successor(store: OofStore) -> OofStore:
    """Return the store, empty as yet, that is to take the place of another one."""
    made = _made(store)
    if made.root.exists():  # of an update that was interrupted before it was complete
        remove_folder(made.root)
    return made


def replace_store(store: OofStore) -> None:
    """Put the successor into the place of a store, which is kept beside it."""
    made = _made(store)
    (store.root / _COMPLETE).unlink(missing_ok=True)  # of an earlier one
    write_text(made.root / _COMPLETE, "")
    _swap(store, made)


def finish_replacing(store: OofStore) -> None:
    """Put a complete successor into its place, if its writer was interrupted.

    Raises
    ------
    UserError
        It is being put there by another process.
    """
    if not store.name:  # the current folder
        return
    if (_made(store).root / _COMPLETE).exists():
        with only_trainer(store):
            pass


@contextmanager
def only_trainer(store: OofStore) -> Iterator[None]:
    """Hold the lock of a store's folds; a complete successor whose writer was interrupted is in its place by then.

    Raises
    ------
    UserError
        Another process holds the lock.
    """
    with only_writer(store.root, "train"):
        if store.name and (_made(store).root / _COMPLETE).exists():
            _swap(store, _made(store))
        yield


def move_aside(store: OofStore) -> Location:
    """Rename a store by the time, and return where it is now."""
    while (aside := store.root.with_name(f"{store.name}~{time.strftime('%Y%m%d-%H%M%S')}")).exists():
        time.sleep(0.1)  # two within a second
    move_folder(store.root, aside, *STORE_MARKERS)
    return aside


def _made(store: OofStore) -> OofStore:
    return OofStore(store.root.with_name(f"{store.name}{_SUFFIX}"), store.feature_cache)


def _swap(store: OofStore, made: OofStore) -> None:
    if (store.root / _COMPLETE).exists():  # all was copied, and removing it was interrupted
        remove_folder(made.root, *STORE_MARKERS, _COMPLETE)
    else:
        if store.root.exists():
            move_aside(store)
        move_folder(made.root, store.root, *STORE_MARKERS, _COMPLETE)
    (store.root / _COMPLETE).unlink()
