"""Lease on a folder of an object store, for one holder at a time.

Every driver writes a lease file of its own, then lists the folder: of two drivers, the later one sees the file of the
earlier, since listings are strongly consistent (S3, Google and Azure promise that; stores that do not are unsupported
for two drivers). No conditional write is needed, and no driver deletes a live lease of another by mistake. The holder
renews its lease; one that is not renewed while we watch has expired. Clocks of machines are not compared, and time in
which the store itself was unreachable does not count.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace

from ensemble.core.errors import UserError
from ensemble.core.storage.json_file import parse_json
from ensemble.core.storage.remote import RemotePath
from ensemble.core.storage.retry import log

HEARTBEAT = 5.0  # seconds from one renewal of a lease to the next
EXPIRY = 60.0  # seconds without a renewal after which a lease has expired
_ATTEMPTS = 5  # of drivers that start at the same moment and back off from each other
_LOST = signal.SIGUSR1
_CHECKS = 5  # in the time of a heartbeat


@dataclass(frozen=True)
class _Lease:
    """Content of a lease file; `instead_of` are tokens of expired leases that this one replaces."""

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    renewal: int = 0
    instead_of: tuple[str, ...] = ()

    @property
    def holder(self) -> str:
        """Process and host, for messages."""
        return f"process {self.pid} on {self.host}"


@contextmanager
def hold_lease(folder: RemotePath, what: str, where: str) -> Iterator[None]:
    """Hold the only lease of a folder; `what` and `where` are for messages.

    Raises
    ------
    UserError
        Another driver holds it, or took it over because this one did not renew it.
    """
    heartbeat = _Heartbeat(folder, _acquire(folder, what, where))
    heartbeat.start()
    try:
        with _interruptible():
            yield
        heartbeat.check(what, where)
    except KeyboardInterrupt:
        heartbeat.check(what, where)
        raise
    finally:
        heartbeat.stop()


def _acquire(folder: RemotePath, what: str, where: str) -> _Lease:
    """Write a lease, and keep it if all others have expired."""
    lease, expired = _Lease(), frozenset[str]()
    for _ in range(_ATTEMPTS):
        expired |= _wait_for_expiry(folder, expired, what, where)
        lease = replace(lease, instead_of=tuple(sorted(expired)))
        _write(folder, lease)
        if not _read_leases(folder).keys() - expired - {lease.token}:
            for token in expired:
                (folder / token).unlink()
            return lease
        (folder / lease.token).unlink()
        time.sleep(random.uniform(0, HEARTBEAT))
    raise _in_use(what, where)


def _wait_for_expiry(folder: RemotePath, known: frozenset[str], what: str, where: str) -> frozenset[str]:
    """Watch the leases of others until each was deleted or has expired; one that is renewed is an error."""
    watched = {token: lease for token, lease in _read_leases(folder).items() if token not in known}
    if watched:
        holder = next(iter(watched.values())).holder
        log(f"{where} is locked by {holder}; watching for up to {EXPIRY:.0f} s whether it is still running")
    start = last = time.monotonic()
    while watched and time.monotonic() - start < EXPIRY:
        time.sleep(HEARTBEAT / _CHECKS)
        now = _read_leases(folder)
        for token, lease in watched.items():
            if now.get(token, lease) != lease:
                raise _in_use(what, where, lease)
        watched = {token: lease for token, lease in watched.items() if token in now}
        if time.monotonic() - last > EXPIRY / 2:  # the store was unreachable, for the holder too
            start = time.monotonic()
        last = time.monotonic()
    return frozenset(watched)


def _read_leases(folder: RemotePath) -> dict[str, _Lease]:
    """Read all leases, by token."""
    leases: dict[str, _Lease] = {}
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # deleted since it was listed
                leases[path.name] = _read(path)
    return leases


def _read(path: RemotePath) -> _Lease:
    """Read a lease; a damaged file is a lease of an unknown holder."""
    text = path.read_text()
    try:
        raw = parse_json(text.encode(), dict)
        return _Lease(**{**raw, "instead_of": tuple(raw["instead_of"])})
    except (ValueError, TypeError, KeyError):
        return _Lease("unknown", 0, path.name, hash(text))


def _write(folder: RemotePath, lease: _Lease) -> None:
    (folder / lease.token).write_bytes(json.dumps(asdict(lease)).encode())


def _in_use(what: str, where: str, lease: _Lease | None = None) -> UserError:
    holder = f", {lease.holder}" if lease else ""
    return UserError(f"another process is writing to {where} ({what}{holder}); wait for it, or write elsewhere")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the loss of a lease end the block like Ctrl-C, by a signal of its own: a shell may have SIGINT ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(_LOST, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(_LOST, before)


class _Heartbeat(threading.Thread):
    """Thread that renews a lease; it interrupts the main thread when the lease is lost."""

    def __init__(self, folder: RemotePath, lease: _Lease) -> None:
        super().__init__(name="lease", daemon=True)
        self.folder, self.lease = folder, lease
        self.lost = False
        self._stopped = threading.Event()

    def run(self) -> None:
        """Renew the lease until stopped."""
        while not self._stopped.wait(HEARTBEAT):
            with suppress(Exception):  # the main thread reports an outage; the next heartbeat tries again
                self.lost = self.lost or self._is_lost()
                if self._stopped.is_set():
                    return
                if self.lost:
                    self._interrupt()
                    continue  # where Python ignores an exception, in a destructor say, the next one may be heeded
                self.lease = replace(self.lease, renewal=self.lease.renewal + 1)
                _write(self.folder, self.lease)

    def _interrupt(self) -> None:
        """Wake the holder from whatever it waits for; one that holds it in another thread sees `check` alone."""
        if signal.getsignal(_LOST) is signal.default_int_handler:
            signal.pthread_kill(threading.main_thread().ident or 0, _LOST)

    def check(self, what: str, where: str) -> None:
        """Raise a `UserError` if the lease was lost."""
        if self.lost:
            raise UserError(
                f"another process took over {where} ({what}), since this one did not renew its lease for {EXPIRY:.0f} "
                "s; finished work is stored, run only one of them at a time"
            ) from None

    def stop(self) -> None:
        """Stop renewing and delete the lease; if the store is unreachable, it stays there and expires."""
        self._stopped.set()
        self.join(timeout=HEARTBEAT)
        with suppress(Exception):
            self.folder.fs.rm_file((self.folder / self.lease.token).path)

    def _is_lost(self) -> bool:
        """Whether the lease was deleted, or another one replaces it."""
        leases, own = _read_leases(self.folder), self.lease.token
        return own not in leases or any(own in lease.instead_of for lease in leases.values())
