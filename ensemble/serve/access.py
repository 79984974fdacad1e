"""Who may ask: the API key, and the names that the server answers to."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ensemble.core.errors import UserError
from ensemble.serve.refusals import Refusal

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
ANY: Final = ("0.0.0.0", "::")  # noqa: S104  compared, not bound
_ANY_NAME: Final = "*"
_OF_ONE_CLIENT: Final = 64  # bits: who has an address of IPv6 has all that begin with the same ones
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_ELSEWHERE: Final = (
    "a page from elsewhere may not ask this server; for its own page behind a proxy, give the name with --name"
)
_BEARER: Final = "bearer "


def client_of(request: Request) -> str:
    """Return the address of who asks; of IPv6 the network, all of whose addresses are one client's."""
    host = request.client.host if request.client else ""
    address = _parsed(host)
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, _OF_ONE_CLIENT), strict=False))
    return host


def check_key(request: Request, key: str) -> None:
    """Refuse a request without the key.

    Raises
    ------
    Refusal
        The key is missing, or another one.
    """
    given = request.headers.get("x-api-key") or _after_bearer(request.headers.get("authorization", ""))
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise Refusal(401, "this server asks for an API key, in the header X-API-Key or as Authorization: Bearer")


def _after_bearer(header: str) -> str:
    return header[len(_BEARER) :] if header.lower().startswith(_BEARER) else ""


def _parsed(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:  # a name
        return None


def host_names(host: str, others: Sequence[str]) -> list[str]:
    """Return the names that requests may call the server by: others come from pages that point their name here.

    A server that listens on all addresses answers to any name, unless names are given.

    Raises
    ------
    UserError
        One of the others is no host name.
    """
    for name in others:
        if not _HOST_NAME.fullmatch(name) and _parsed(name) is None:
            raise UserError(f"--name takes a host name without scheme and port, such as check.example.org, not {name}")
    if not others and host in ANY:
        return [_ANY_NAME]
    return [name.lower() for name in (*LOOPBACK, *(others or (host,)))]


def _follows_a_link(method: str, headers: Headers) -> bool:
    """Return whether somebody follows a link to a page, which shows nothing to the page with the link."""
    to_a_page = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return method == "GET" and to_a_page and "origin" not in headers


class KnownNames:
    """Middleware that refuses requests by other names than those given, and of pages from elsewhere."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        refusal = self._refusal(scope["method"], Headers(scope=scope)) if scope["type"] == "http" else None
        answer = self._app if refusal is None else JSONResponse({"error": refusal}, 403)
        await answer(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> str | None:
        called = headers.get("host", "").lower()
        if not self._knows(called):
            return "the server is called by another name; those that it answers to are given by --name"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _follows_a_link(method, headers):
            return _ELSEWHERE
        if "origin" in headers:
            origin = headers["origin"].lower().partition("://")[2]
            if origin != called and (_ANY_NAME in self._names or not self._knows(origin)):
                return _ELSEWHERE
        return None

    def _knows(self, called: str) -> bool:
        """Return whether a name, with or without a port, is one of the server's."""
        name = called[1:].partition("]")[0] if called.startswith("[") else called.partition(":")[0]
        return _ANY_NAME in self._names or name in self._names
