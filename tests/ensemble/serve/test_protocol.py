"""Connections of clients that ask nothing, or read nothing, are ended."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ensemble.serve import protocol
from ensemble.serve.protocol import BoundedProtocol

pytestmark = pytest.mark.process
LARGE = 50 * 2**20  # more than systems keep of what was sent and not read
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(bytes(LARGE))(scope, receive, send)


@contextmanager
def serving() -> Iterator[tuple[uvicorn.Server, int]]:
    """A server whose connections uvicorn itself would not end during a test."""
    config = uvicorn.Config(
        app, http=BoundedProtocol, ws="none", lifespan="off", log_level="critical", timeout_keep_alive=600
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=asyncio.run, args=(server.serve([listening]),))
        thread.start()
        yield server, listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def read_all(client: socket.socket) -> int:
    read = 0
    while part := client.recv(2**20):
        read += len(part)
    return read


@pytest.mark.parametrize("sent", [b"", b"GET / HT", REQUEST, REQUEST + b"G"], ids=["nothing", "half", "one", "more"])
def test_a_connection_that_asks_nothing_more_is_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_SECONDS", 0.3)
    with serving() as (_, port), socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(sent)
        assert (read_all(client) > LARGE) == (REQUEST in sent), "closed from the other side, after the answer"


def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_READING", 0.3)
    with serving() as (_, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(REQUEST)
        time.sleep(1)
        with suppress(ConnectionResetError):
            assert read_all(client) < LARGE


def test_a_slow_reader_gets_the_whole_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_SECONDS", 0.3)
    with serving() as (_, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        time.sleep(1)
        assert read_all(client) > LARGE
