"""Who may ask: the API key, and the names that the server answers to."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from starlette.requests import Request

from ensemble.serve.refusals import Refusal

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
ANY: Final = ("0.0.0.0", "::")  # noqa: S104  compared, not bound
_ANY_NAME: Final = "*"
_OF_ONE_CLIENT: Final = 64  # bits: who has an address of IPv6 has all that begin with the same ones
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
    address = _address(request.client.host if request.client else "")
    if key is None:
        return address
    given = request.headers.get("x-api-key") or _after_bearer(request.headers.get("authorization", ""))
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise Refusal(401, "this server asks for an API key, in the header X-API-Key or as Authorization: Bearer")
    return address


def _after_bearer(header: str) -> str:
    return header[len(_BEARER) :] if header.lower().startswith(_BEARER) else ""


def _address(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:  # of a proxy that says another name
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, _OF_ONE_CLIENT), strict=False))
    return host


def host_names(host: str, others: Sequence[str]) -> list[str]:
    """Return the names that requests may call the server by: others come from pages that point their name here.

    A server that listens on all addresses answers to any name, unless names are given.
    """
    if not others and host in ANY:
        return [_ANY_NAME]
    return [name.lower() for name in (*LOOPBACK, *(others or (host,)))]


def check_name(request: Request, names: Sequence[str]) -> None:
    """Refuse a request that calls the server by another name.

    Raises
    ------
    Refusal
        The name is none of `names`.
    """
    name = request.headers.get("host", "").lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if _ANY_NAME not in names and name not in names:
        raise Refusal(400, "the server is called by another name; those that it answers to are given by --name")
