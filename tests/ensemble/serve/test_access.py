"""Who may ask, and by which name."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from ensemble.serve.access import KnownNames, client_of, host_names
from ensemble.serve.rates import Rates
from ensemble.serve.refusals import Refusal


def status(listens_on: str, names: tuple[str, ...], **headers: str) -> int:
    """Return the status of a request with these headers to a server that answers what it lets through with 200."""
    app = KnownNames(PlainTextResponse("let through"), host_names(listens_on, names))
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return TestClient(app).get("/", headers=sent).status_code


@pytest.mark.parametrize(
    ("listens_on", "names", "called", "known"),
    [
        ("127.0.0.1", (), "127.0.0.1:8000", True),
        ("127.0.0.1", (), "LocalHost:8000", True),
        ("127.0.0.1", (), "[::1]:8000", True),
        ("127.0.0.1", (), "evil.example", False),
        ("127.0.0.1", (), "", False),
        ("2001:db8::1", (), "[2001:db8::1]:8000", True),
        ("2001:db8::1", (), "[2001:db8::2]:8000", False),
        ("::", (), "anything.example:80", True),
        ("::", ("Check.Example.org",), "check.example.org", True),
        ("::", ("check.example.org",), "CHECK.example.org:443", True),
        ("::", ("check.example.org",), "evil.check.example.org", False),
    ],
)
def test_names_that_the_server_answers_to(listens_on: str, names: tuple[str, ...], called: str, known: bool) -> None:
    assert status(listens_on, names, host=called) == (200 if known else 403)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("testclient", "testclient", True),
    ],
)
def test_addresses_of_one_client(one: str, other: str, same: bool) -> None:
    first, second = (Request({"type": "http", "client": (address, 1)}) for address in (one, other))
    assert (client_of(first) == client_of(second)) == same


@pytest.mark.parametrize(
    ("listens_on", "names", "headers", "let_through"),
    [
        ("127.0.0.1", (), {"host": "localhost:8000", "origin": "http://localhost:8000"}, True),
        ("127.0.0.1", (), {"host": "localhost:8000", "origin": "http://evil.example"}, False),
        ("127.0.0.1", (), {"host": "localhost:8000", "origin": "null"}, False),
        ("127.0.0.1", (), {"host": "localhost:8000", "sec_fetch_site": "same-origin"}, True),
        ("127.0.0.1", (), {"host": "localhost:8000", "sec_fetch_site": "same-site"}, False),
        ("127.0.0.1", (), {"host": "localhost:8000", "sec_fetch_site": "cross-site"}, False),
        ("::", (), {"host": "192.0.2.1:8000", "origin": "http://192.0.2.1:8000"}, True),
        ("::", (), {"host": "192.0.2.1:8000", "origin": "http://evil.example"}, False),
        ("127.0.0.1", ("a.example",), {"host": "127.0.0.1:8000", "origin": "https://a.example"}, True),  # by a proxy
    ],
)
def test_pages_from_elsewhere_may_not_ask(
    listens_on: str, names: tuple[str, ...], headers: dict[str, str], let_through: bool
) -> None:
    assert status(listens_on, names, **headers) == (200 if let_through else 403)


def test_rates_of_a_client() -> None:
    rates = Rates(10)
    rates.take("a", 4)
    with pytest.raises(Refusal) as refused:
        rates.take("a", 9)
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": "18"}, "three more, of ten a minute"
    rates.take("b", 10)
    rates.take("a", 6)
    with pytest.raises(Refusal) as refused:
        rates.take("c", 8, 3)
    assert refused.value.status == 413, "more than a minute's: to wait would not help"
