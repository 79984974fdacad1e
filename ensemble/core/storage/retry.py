"""An object store that does not answer is asked again for some minutes; what it refuses is told at once."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ensemble.core.console.durations import format_duration
from ensemble.core.errors import UserError

_Kind = TypeVar("_Kind")

PATIENCE = 300.0  # seconds for which a store may be away before a run gives up
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_AWAY = {errno.EBUSY, errno.EREMOTEIO, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EPIPE}
_SERVER_AT_FAULT = {429, 500, 502, 503, 504}  # HTTP
# Of the drivers, by module: a driver that is not loaded has raised nothing, and need not be.
_LOST_CONNECTIONS = {
    "botocore.exceptions": ("ConnectionError", "HTTPClientError"),
    "aiohttp.client_exceptions": ("ClientConnectionError", "ClientPayloadError"),
    "requests.exceptions": ("ConnectionError", "Timeout"),
    "google.auth.exceptions": ("TransportError",),
}
_REFUSALS = {"botocore.exceptions": ("BotoCoreError",), "google.auth.exceptions": ("GoogleAuthError",)}
_begun: dict[str, float] = {}  # outages that were told, by their store
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


def patiently(do: Callable[[], _Kind], where: str) -> _Kind:
    """What `do` returns; it is called again while the store of the address `where` is away, so it must bear repetition.

    Raises
    ------
    FileNotFoundError
        There is nothing at the address: an answer like any other.
    UserError
        The store has been away for `PATIENCE` seconds, it refuses, or the driver for such addresses is not installed.
    """
    begun, pause = time.monotonic(), _FIRST_PAUSE
    while True:
        try:
            found = do()
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where) from None
        except Exception as error:
            if not _is_away(error):
                raise _refusal(error, where) from error
            if time.monotonic() - begun + pause > PATIENCE:
                raise _given_up(error, where, time.monotonic() - begun) from error
            _tell_once(where, error, begun)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            _tell_the_end(where)
            return found


def _given_up(error: Exception, where: str, seconds: float) -> UserError:
    return UserError(
        f"{where} could not be reached for {format_duration(seconds)} ({_reason(error)}); what was finished is kept, "
        "run the same command again when the store answers"
    )


def _tell_once(where: str, error: Exception, begun: float) -> None:
    """Once for an outage, whatever threads wait for its end."""
    store = _store(where)
    if store not in _begun:
        _begun[store] = begun
        _say(f"{store} cannot be reached ({_reason(error)}); trying again for up to {format_duration(PATIENCE)}")


def _tell_the_end(where: str) -> None:
    begun = _begun.pop(_store(where), None) if _begun else None
    if begun is not None:
        _say(f"{_store(where)} is reached again, after {format_duration(time.monotonic() - begun)}")


def _store(where: str) -> str:
    """The bucket of an address."""
    return "/".join(where.split("/")[:3])


def _is_away(error: Exception) -> bool:
    """Whether it is the way to the store that failed, or the store itself, rather than what was asked."""
    if isinstance(error, ConnectionError | TimeoutError) or _is_one_of(error, _LOST_CONNECTIONS):
        return True
    return (isinstance(error, OSError) and error.errno in _AWAY) or _status(error) in _SERVER_AT_FAULT


def _refusal(error: Exception, where: str) -> Exception:
    """A sentence for what only a person can mend; anything else stays what it is."""
    if isinstance(error, ImportError):
        scheme = where.partition("://")[0]
        extra = _EXTRAS.get(scheme)
        remedy = f'pip install "who-took-this-photo[{extra}]"' if extra else _reason(error)
        return UserError(f"{where}: the driver for {scheme}:// addresses is not installed; {remedy}")
    if isinstance(error, PermissionError):
        return UserError(f"{where}: access denied ({_reason(error)}); check the credentials and what they may do")
    if isinstance(error, OSError) or _is_one_of(error, _REFUSALS):
        return UserError(f"{where} cannot be used ({_reason(error)}); check the address and the credentials")
    return error


def _is_one_of(error: Exception, names: Mapping[str, tuple[str, ...]]) -> bool:
    known = (getattr(sys.modules.get(module), name, None) for module, found in names.items() for name in found)
    return isinstance(error, tuple(kind for kind in known if kind is not None))


def _status(error: BaseException) -> int | None:
    """The HTTP status that a driver's error carries."""
    answer: Any = getattr(error.__cause__ or error, "response", None)
    told = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(answer, dict) else None
    found = told or getattr(error, "status", None) or getattr(error, "code", None)
    return found if isinstance(found, int) else None


def _reason(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
