"""Who may ask, and by which name."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from starlette.requests import Request

from ensemble.serve.access import check_name, client_of, host_names
from ensemble.serve.rates import Rates
from ensemble.serve.refusals import Refusal


def request(host: str = "localhost", client: str = "127.0.0.1", **headers: str) -> Request:
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": host, **headers}.items()]
    return Request({"type": "http", "headers": encoded, "client": (client, 1)})


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
    with nullcontext() if known else pytest.raises(Refusal, match="another name"):
        check_name(request(called), host_names(listens_on, names))


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
    assert (client_of(request(client=one), None) == client_of(request(client=other), None)) == same


def test_pages_from_elsewhere_may_not_ask() -> None:
    with pytest.raises(Refusal, match="another page"):
        client_of(request(sec_fetch_site="cross-site"), None)


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
