"""Clients and files that mean no good: nobody else waits for them, and the server stays as it is."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from ensemble.predict.predictor import load_bundle
from tests.ensemble.predict.photographs.hostile import DECODED, EITHER, hostile_files
from tests.ensemble.serve.conftest import BUNDLE, Server, photograph, serving

pytestmark = pytest.mark.process
SIDE = load_bundle(BUNDLE).manifest.size[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of this module's own, whose memory is measured."""
    with serving(tmp_path_factory.mktemp("hostile"), "--max-per-minute", 1_000_000) as running:
        yield running


def connected(server: Server) -> socket.socket:
    host, _, port = server.address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def head(length: int) -> bytes:
    return f"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


def is_well(server: Server) -> None:
    begun = time.monotonic()
    assert server.check(photograph(1, SIDE)).status_code == 200
    assert time.monotonic() - begun < 5
    assert server.process.poll() is None


def test_slow_clients_hold_up_nobody(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(connected(server))
            client.sendall(head(1_000_000) + b"a few bytes")
        is_well(server)


def test_half_requests_and_wrong_lengths_cost_themselves_only(server: Server) -> None:
    for content in (
        b"POST /v1/check HT",
        b"\x00\xff" * 500,
        head(10) + b"more than ten bytes" * 50,
        head(-1),
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
        b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        with connected(server) as client:
            client.sendall(content)
            client.settimeout(0.2)
            try:
                client.recv(4096)
            except (TimeoutError, ConnectionResetError):
                continue
    is_well(server)


def test_a_form_that_takes_long_to_decode_holds_up_nobody(server: Server) -> None:
    """Text in Punycode takes a time that grows with the square of its length: the client's word for it is not taken."""
    field = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"b" * 300 + b"-" + b"a" * 300 + b"\r\n"
    image = photograph(2, SIDE)
    file = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n' + image + b"\r\n--x--\r\n"
    for charset in ("punycode", "undefined", "nonsense"):
        kind = {"content-type": f"multipart/form-data; charset={charset}; boundary=x"}
        assert server.check(field + file, headers=kind).status_code == 200
        begun = time.monotonic()
        long = field.replace(b"b", b"b" * 1_000).replace(b"a" * 300, b"a" * 300_000)
        assert server.check(long + file, headers=kind).status_code == 400
        assert time.monotonic() - begun < 2


@pytest.mark.slow
def test_a_thousand_connections_are_borne(server: Server) -> None:
    (process,) = server.workers()
    before = process.memory_info().rss
    with ExitStack() as stack:
        for number in range(1_000):
            client = stack.enter_context(connected(server))
            if number % 2:
                client.sendall(head(1_000)[:-10])
        is_well(server)
        assert process.memory_info().rss - before < 100 * 2**20
    is_well(server)


@pytest.mark.slow
def test_the_table_of_hostile_files(server: Server) -> None:
    """Those that can be read are answered, the others are refused with the reason, each within seconds."""
    (process,) = server.workers()
    for name, content, expected in hostile_files():
        begun = time.monotonic()
        response = server.check(content)
        assert time.monotonic() - begun < 10, name
        allowed = {DECODED: {200}, EITHER: {200, 422}}.get(expected, {413, 422})
        assert response.status_code in allowed, (name, response.text)
    assert process.memory_info().rss < 2 * 2**30
    assert server.workers() == [process], "it was never started again"
    is_well(server)


def test_nothing_of_a_photograph_is_written(tmp_path: Path) -> None:
    """Not even for a moment: a server that may write 2,000 bytes to a file, for its address, answers all the same."""
    with serving(tmp_path, before=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2_000, 2_000))) as server:
        content = photograph(5, SIDE) + bytes(3 * 2**20)  # larger than what forms usually keep in memory
        for route in ("/v1/check?details=true", "/v1/patches"):
            response = server.client.post(route, files={"files": ("secret-name.png", content)})
            assert response.status_code == 200, response.text
    assert "secret-name" not in server.errors.read_text()
