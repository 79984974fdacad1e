"""Retries of requests to an object store: an outage is waited out for some minutes, a refusal is raised at once."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_exponential

from ensemble.core.console.durations import format_duration
from ensemble.core.errors import UserError, reason

_Kind = TypeVar("_Kind")

GIVE_UP_AFTER = 300.0  # seconds of an outage
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_UNREACHABLE = {errno.EBUSY, errno.EREMOTEIO, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EPIPE}
_SERVER_ERRORS = {429, 500, 502, 503, 504}  # HTTP
# Errors of the drivers, by module: a driver that is not loaded has raised nothing, and need not be imported.
_LOST_CONNECTIONS = {
    "botocore.exceptions": ("ConnectionError", "HTTPClientError"),
    "aiohttp.client_exceptions": ("ClientConnectionError", "ClientPayloadError"),
    "requests.exceptions": ("ConnectionError", "Timeout"),
    "google.auth.exceptions": ("TransportError",),
}
_REFUSALS = {"botocore.exceptions": ("BotoCoreError",), "google.auth.exceptions": ("GoogleAuthError",)}
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_outages: dict[str, float] = {}  # store -> start of an outage that was logged


def with_retries(request: Callable[[], _Kind], address: str) -> _Kind:
    """Return what an idempotent request returns; repeat it while the store of the address is unreachable.

    Raises
    ------
    FileNotFoundError
        There is no such object: an answer like any other.
    UserError
        The store was unreachable for `GIVE_UP_AFTER` seconds, it refuses, or the driver for it is not installed.
    """
    start = time.monotonic()
    retrying = Retrying(
        retry=retry_if_exception(_is_outage),
        wait=wait_exponential(_FIRST_PAUSE, _LONGEST_PAUSE),
        stop=stop_before_delay(GIVE_UP_AFTER),
        before_sleep=lambda state: _log_outage(state, address, start),
        reraise=True,
    )
    try:
        answer = retrying(request)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), address) from None
    except Exception as error:
        raise _for_the_user(error, address, time.monotonic() - start) from error
    _log_end_of_outage(address)
    return answer


def log(line: str) -> None:
    """Write a line to stderr, where it does not mix with a progress display."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _log_outage(state: RetryCallState, address: str, start: float) -> None:
    """Log an outage once, however many threads wait for its end."""
    store = _store(address)
    if store not in _outages and state.outcome is not None:
        _outages[store] = start
        why = reason(state.outcome.exception())
        log(f"{store} cannot be reached ({why}); trying again for up to {format_duration(GIVE_UP_AFTER)}")


def _log_end_of_outage(address: str) -> None:
    start = _outages.pop(_store(address), None) if _outages else None
    if start is not None:
        log(f"{_store(address)} is reached again, after {format_duration(time.monotonic() - start)}")


def _store(address: str) -> str:
    """Return scheme and bucket of an address."""
    return "/".join(address.split("/")[:3])


def _is_outage(error: BaseException) -> bool:
    """Whether the network or the store failed, rather than the request."""
    if isinstance(error, ConnectionError | TimeoutError) or _is_one_of(error, _LOST_CONNECTIONS):
        return True
    return (isinstance(error, OSError) and error.errno in _UNREACHABLE) or _status(error) in _SERVER_ERRORS


def _for_the_user(error: Exception, address: str, seconds: float) -> Exception:
    """Turn an outage or a refusal into a sentence with its remedy; return any other error as it is."""
    why = reason(error)
    if _is_outage(error):
        return UserError(
            f"{address} could not be reached for {format_duration(seconds)} ({why}); finished work is stored, "
            "run the same command again when the store answers"
        )
    if isinstance(error, ImportError):
        scheme = address.partition("://")[0]
        extra = _EXTRAS.get(scheme)
        remedy = f'pip install "who-took-this-photo[{extra}]"' if extra else why
        return UserError(f"{address}: the driver for {scheme}:// addresses is not installed; {remedy}")
    if isinstance(error, PermissionError):
        return UserError(f"{address}: access denied ({why}); check the credentials and their permissions")
    if isinstance(error, OSError) or _is_one_of(error, _REFUSALS):
        return UserError(f"{address} cannot be used ({why}); check the address and the credentials")
    return error


def _is_one_of(error: BaseException, names: Mapping[str, tuple[str, ...]]) -> bool:
    kinds = (getattr(sys.modules.get(module), name, None) for module, listed in names.items() for name in listed)
    return isinstance(error, tuple(kind for kind in kinds if kind is not None))


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that a driver's error carries."""
    answer: Any = getattr(error.__cause__ or error, "response", None)
    of_answer = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(answer, dict) else None
    status = of_answer or getattr(error, "status", None) or getattr(error, "code", None)
    return status if isinstance(status, int) else None
