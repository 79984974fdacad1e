"""A lock on an object store: every writer puts up a sign of its own, then looks whether there is another.

Of two writers the later one sees the sign of the earlier, since a listing shows what was put before it (S3, Google and
Azure promise that). So the lock needs no exclusive write, which not every store has, and a sign that is removed is
never by mistake somebody else's. A holder renews its sign; one that stands still under our eyes is that of a dead one.
Clocks are not compared, and time in which the store itself was away is nobody's silence.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace

from ensemble.core.errors import UserError
from ensemble.core.storage.remote import RemotePath

RENEWED = 5.0  # seconds from one renewal of a sign to the next
SILENCE = 60.0  # seconds for which a sign has to stand still under our eyes until it is taken for a dead one's
_TRIES = 5  # of writers that come at the same moment, and step back from each other
_LOST = signal.SIGUSR1
_LOOKS = 5  # in the time of a renewal


@dataclass(frozen=True)
class _Sign:
    """What a writer tells of itself; `instead_of` are the signs of dead ones whose place it took."""

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    renewal: int = 0
    instead_of: tuple[str, ...] = ()


@contextmanager
def alone(folder: RemotePath, what: str, where: str) -> Iterator[None]:
    """Be the only writer that has put a sign into a folder. `what` and `where` are for what a person is told.

    Raises
    ------
    UserError
        Another one lives, or took our place while we were silent.
    """
    sign = _put_up(folder, what, where)
    beat = _Beat(folder, sign)
    beat.start()
    try:
        with _interruptible():
            yield
        beat.check(what, where)
    except KeyboardInterrupt:
        beat.check(what, where)
        raise
    finally:
        beat.stop()


def _put_up(folder: RemotePath, what: str, where: str) -> _Sign:
    """Put up a sign that is the only one of the living."""
    sign, dead = _Sign(), frozenset[str]()
    for _ in range(_TRIES):
        dead |= _silent(folder, dead, what, where)
        sign = replace(sign, instead_of=tuple(sorted(dead)))
        _write(folder, sign)
        if not _signs(folder).keys() - dead - {sign.token}:
            for token in dead:
                (folder / token).unlink()
            return sign
        (folder / sign.token).unlink()
        time.sleep(random.uniform(0, RENEWED))
    raise UserError(_refused(what, where, None))


def _silent(folder: RemotePath, known: frozenset[str], what: str, where: str) -> frozenset[str]:
    """Watch the signs that are there until each has gone or was silent for long; one that is renewed is an error."""
    before = {token: sign for token, sign in _signs(folder).items() if token not in known}
    if before:
        _say(
            f"{where} is locked by {_who(next(iter(before.values())))}; watching for up to {SILENCE:.0f} s if it lives"
        )
    since = last = time.monotonic()
    while before and time.monotonic() - since < SILENCE:
        time.sleep(RENEWED / _LOOKS)
        now = _signs(folder)
        for token, sign in before.items():
            if now.get(token, sign) != sign:
                raise UserError(_refused(what, where, sign))
        before = {token: sign for token, sign in before.items() if token in now}
        if time.monotonic() - last > SILENCE / 2:  # the store was away, for the holder too
            since = time.monotonic()
        last = time.monotonic()
    return frozenset(before)


def _signs(folder: RemotePath) -> dict[str, _Sign]:
    """All signs by their token; what cannot be read is a sign too, that of a stranger."""
    found: dict[str, _Sign] = {}
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # removed since it was listed
                found[path.name] = _read(path)
    return found


def _read(path: RemotePath) -> _Sign:
    text = path.read_text()
    try:
        raw = json.loads(text)
        return _Sign(**{**raw, "instead_of": tuple(raw["instead_of"])})
    except (ValueError, TypeError, KeyError):
        return _Sign("unknown", 0, path.name, hash(text))


def _write(folder: RemotePath, sign: _Sign) -> None:
    (folder / sign.token).write_bytes(json.dumps(asdict(sign)).encode())


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _who(sign: _Sign) -> str:
    return f"process {sign.pid} on {sign.host}"


def _refused(what: str, where: str, sign: _Sign | None) -> str:
    who = f" ({_who(sign)})" if sign else ""
    return f"another {what}{who} is writing to {where}; wait for it, or give another --oof"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the loss of a sign end the block as Ctrl-C does, which a process behind a shell would not hear."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(_LOST, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(_LOST, before)


class _Beat(threading.Thread):
    """Renews a sign until it is stopped. Where the sign has lost its place it interrupts the main thread."""

    def __init__(self, folder: RemotePath, sign: _Sign) -> None:
        super().__init__(name="lock", daemon=True)
        self.folder, self.sign = folder, sign
        self.lost = False
        self._over = threading.Event()

    def run(self) -> None:
        """Renew, every few seconds."""
        while not self._over.wait(RENEWED):
            with suppress(Exception):  # the work itself tells what is wrong; the next renewal looks again
                self.lost = self._has_lost()
                if self.lost:
                    signal.pthread_kill(threading.main_thread().ident or 0, _LOST)  # wakes one that waits
                    return
                self.sign = replace(self.sign, renewal=self.sign.renewal + 1)
                _write(self.folder, self.sign)

    def check(self, what: str, where: str) -> None:
        """Raise a `UserError` where the sign has lost its place."""
        if self.lost:
            raise UserError(
                f"another {what} took over {where}, for this one was not heard of in {SILENCE:.0f} s; "
                "what was finished is kept, see that one of them works at a time"
            ) from None

    def stop(self) -> None:
        """Renew no more, and take the sign down; where the store is away it stays, and will be seen to be silent."""
        self._over.set()
        self.join(timeout=RENEWED)
        with suppress(Exception):
            self.folder.fs.rm_file((self.folder / self.sign.token).path)

    def _has_lost(self) -> bool:
        """Whether the sign was taken down, or another one stands instead of it."""
        there = _signs(self.folder)
        own = self.sign.token
        return own not in there or any(own in sign.instead_of for sign in there.values())
