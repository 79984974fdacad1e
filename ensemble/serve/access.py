"""Who may ask: the API key, and the names that the server answers to."""

from __future__ import annotations

import hmac
from typing import Final

from starlette.requests import Request

from ensemble.serve.refusals import Refusal

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_BEARER: Final = "bearer "


def client_of(request: Request, key: str | None) -> str:
    """Return who asks: the address; or, where the server has a key, that it is known.

    Raises
    ------
    Refusal
        The server has a key, and the request does not; or a page from elsewhere has sent it.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":  # a page elsewhere, by the browser's own word
        raise Refusal(403, "another page may not ask this server")
    address = request.client.host if request.client else ""
    if key is None:
        return address
    given = request.headers.get("x-api-key") or _after_bearer(request.headers.get("authorization", ""))
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise Refusal(401, "this server asks for an API key, in the header X-API-Key or as Authorization: Bearer")
    return address


def _after_bearer(header: str) -> str:
    return header[len(_BEARER) :] if header.lower().startswith(_BEARER) else ""


def host_names(host: str, others: tuple[str, ...]) -> list[str]:
    """Return the names that requests may call the server by: others come from pages that point their name here.

    A server that listens on all addresses answers to any name, unless names are given.
    """
    if others:
        return [*LOOPBACK, *others]
    return ["*"] if host in ("0.0.0.0", "::") else [*LOOPBACK, host]  # noqa: S104  compared, not bound
