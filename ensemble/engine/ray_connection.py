"""Starting a private Ray or connecting to a cluster, and why that fails in one sentence."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError

from ensemble.core.errors import UserError, reason

_REACHABLE_SECONDS = 10
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_SETTINGS = b"\4"  # type of a frame
_LONGEST_FOLDER = 40  # characters: Ray's sockets lie deep below it, and the path of a socket has at most 107


def _why_not(error: Exception, address: str | None) -> str:
    """Return why Ray does not start, and what to do, in one sentence."""
    why = reason(error)
    if address is None:
        return f"Ray cannot start ({why}); try --engine inline"
    if any(word in str(error).lower() for word in ("token", "unauthenticated", "authentication")):
        return (
            f"the Ray cluster at RAY_ADDRESS={address} refuses the token, or its absence; set "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as its head has them"
        )
    return f"Ray cannot start ({why}); is a Ray head running at RAY_ADDRESS={address}?"


def connect() -> None:
    """Connect to the cluster in RAY_ADDRESS, or start a private Ray on this machine.

    Raises
    ------
    UserError
        Ray does not start, or cannot be reached.
    """
    address, on_sigterm = os.environ.get("RAY_ADDRESS"), signal.getsignal(signal.SIGTERM)
    try:
        _connect(address)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise UserError(_why_not(error, address)) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray has installed its own, which aborts


def check_a_node_has(cores: int) -> None:
    """Raise a `UserError` if no node has so many cores: Ray would wait for one without a word."""
    most = max((int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]), default=0)
    if cores > most:
        raise UserError(f"no node of Ray has {cores} cores for a copy of the models, but {most}: lower --threads")


def _connect(address: str | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")  # or Ray's first message exchanges the built-in print
    if address:
        _check_reachable(address)
        with _stderr_kept() as said:
            try:
                ray.init(address=address, **quiet)
            except (RuntimeError, ValueError, OSError, RayError) as error:
                raise RuntimeError(f"{error}\n{said()}") from None
    else:
        # A private Ray answers on loopback only, to those who know its token. Without one in the environment
        # Ray would write one into the user's home, and every later Ray of theirs would ask for it.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        if len(tempfile.gettempdir()) > _LONGEST_FOLDER:
            quiet["_temp_dir"] = f"/tmp/ray-{os.getuid()}"  # noqa: S108  Ray makes it for its user alone
        ray.init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)


@contextmanager
def _stderr_kept() -> Iterator[Callable[[], str]]:
    """Keep what Ray's core writes to stderr in the block from the screen; yield a function that returns it."""
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: (file.seek(0), file.read().decode(errors="replace"))[1]
        finally:
            os.dup2(screen, 2)
            os.close(screen)


def _check_reachable(address: str) -> None:
    """Fail at once where nothing listens, or something else than Ray, which itself would go on trying for minutes.

    Ray speaks gRPC, and so HTTP/2, where each side begins with a frame of settings (RFC 9113, section 3.4).
    """
    if address.startswith(("http://", "https://")):
        raise UserError(
            f"RAY_ADDRESS={address} is the address of a dashboard, which takes jobs (ray job submit); "
            "for a driver it is host:6379 of the head, or ray://host:10001"
        )
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    with socket.create_connection((host, int(port)), timeout=_REACHABLE_SECONDS) as connection:
        if os.environ.get("RAY_USE_TLS", "0") == "1":
            return
        connection.sendall(_PREFACE)
        if connection.recv(9, socket.MSG_WAITALL)[3:4] != _SETTINGS:
            raise ConnectionError("what answers there is not Ray")
