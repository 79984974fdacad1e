"""Who may ask, and by which name."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from ensemble.core.errors import UserError
from ensemble.predict.bundle.files import BundleFiles
from ensemble.serve.access import KnownNames, client_of, host_names
from ensemble.serve.limits import Limits
from ensemble.serve.rates import Rates
from ensemble.serve.refusals import Refusal
from ensemble.serve.results import facts_of
from ensemble.serve.settings import Settings
from tests.commands import run_here
from tests.ensemble.predict.golden import GOLDEN


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


def test_a_link_from_elsewhere_may_be_followed() -> None:
    sent = {"host": "localhost:8000", "sec_fetch_site": "cross-site"}
    assert status("127.0.0.1", (), **sent, sec_fetch_mode="navigate", sec_fetch_dest="document") == 200
    assert status("127.0.0.1", (), **sent, sec_fetch_mode="navigate", sec_fetch_dest="iframe") == 403
    assert status("127.0.0.1", (), **sent, sec_fetch_mode="cors", sec_fetch_dest="empty") == 403


@pytest.mark.parametrize("name", ["check.example.org:8443", "https://check.example.org", "[2001:db8::1]", "*", ""])
def test_a_name_is_a_host_name_alone(name: str) -> None:
    with pytest.raises(UserError, match="--name takes a host name"):
        host_names("::", [name])


@pytest.mark.parametrize("key", ["secret\n", " secret", "schlüssel", ""])
def test_a_key_that_cannot_be_sent_is_refused(key: str) -> None:
    with pytest.raises(UserError, match="API key"):
        Settings("b", key=key)


def test_an_empty_key_in_the_environment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENSEMBLE_API_KEY", "")
    found = run_here("serve", "nothing.bundle", cwd=tmp_path)
    assert found.returncode == 2
    assert "the API key is empty" in found.stderr


def test_no_more_are_sent_at_a_time_than_can_be_answered_in_time() -> None:
    manifest = BundleFiles(GOLDEN / "schema-1.zip").manifest
    slow = manifest.model_copy(update={"milliseconds": 2000.0})
    assert facts_of(slow, Limits(), has_game=False).photographs == 7
    assert facts_of(slow, Limits(seconds=1), has_game=False).photographs == 1
    assert facts_of(manifest.model_copy(update={"milliseconds": 1.0}), Limits(), has_game=False).photographs == 32
