"""Photographs in a request: the body itself, or the files of a form. They are held in memory and never written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from ensemble.serve.limits import MEBIBYTE, Limits
from ensemble.serve.refusals import Refusal

Upload = tuple[str, bytes]  # name, content
_LONGEST_NAME = 200
_LINGER = 2.0  # seconds
_SMALL, _SMALL_SECONDS = 2**17, 10.0
_FORM = b"multipart/form-data"


class _InMemory(MultiPartParser):
    """Form whose files never go to a temporary file.

    It is given no charset: a client could name one that takes minutes to decode.
    """

    spool_max_size = 2**40


class Uploads:
    """Reader of requests within the limits of a worker."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._in_use = limits, 0

    @asynccontextmanager
    async def photographs(self, request: Request, name: str = "photograph") -> AsyncIterator[list[Upload]]:
        """Yield the photographs of a request; their memory counts as used until the block ends.

        `name` is that of a photograph which is the body itself.

        Raises
        ------
        Refusal
            It is too large, too slow, or holds no photographs.
        """
        body = _Body(request, self, name[:_LONGEST_NAME])
        try:
            yield await self._within_time(body)
        finally:
            self._in_use -= body.bytes

    async def _within_time(self, body: _Body) -> list[Upload]:
        try:
            async with asyncio.timeout(self._limits.upload_seconds):
                return await self._read(body)
        except TimeoutError:
            raise Refusal(408, f"the request took longer than {self._limits.upload_seconds:g} s to arrive") from None
        except ClientDisconnect:
            raise Refusal(400, "the request ended before its body did") from None
        except MultiPartException as error:
            if "Too many files" in error.message:
                raise Refusal(413, f"a request may have at most {self._limits.at_once} photographs") from None
            raise Refusal(400, f"the form cannot be read: {error.message.rstrip('.')}") from None

    async def _read(self, body: _Body) -> list[Upload]:
        request = body.request
        stated = request.headers.get("content-length", "0")
        if stated.isdigit():
            self.check_size(int(stated))
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != _FORM:
            return [(body.name, b"".join([chunk async for chunk in body.chunks()]))]
        if b"boundary" not in options:
            raise Refusal(400, "the form names no boundary between its parts")
        headers = Headers(raw=[(b"content-type", _FORM + b"; boundary=" + options[b"boundary"])])
        most = self._limits.at_once
        form = await _InMemory(headers, body.chunks(), max_files=most, max_fields=10, max_part_size=1_024).parse()
        files = [value for _, value in form.multi_items() if not isinstance(value, str)]
        if not files:
            raise Refusal(400, "the form has no files; send photographs as files, in fields of any name")
        return [((file.filename or "photograph")[-_LONGEST_NAME:], await file.read()) for file in files]

    def check_size(self, size: int) -> None:
        """Refuse a request of so many bytes, if it is too large."""
        if size > self._limits.request_bytes:
            raise Refusal(413, f"a request may have at most {self._limits.request_bytes // MEBIBYTE} MiB")

    def use(self, size: int) -> None:
        """Count bytes that are held from now on."""
        self._in_use += size
        if self._in_use > max(self._limits.memory_bytes, self._limits.request_bytes):
            raise Refusal(503, "too much is being sent at a time; try again later", 1)


async def small_body(request: Request) -> bytes:
    """Return the body of a request that holds no photographs.

    Raises
    ------
    Refusal
        It is too large or too slow.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(_SMALL_SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > _SMALL:
                    raise Refusal(413, f"this request may have at most {_SMALL // 1_024} KiB")
    except TimeoutError:
        raise Refusal(408, f"the request took longer than {_SMALL_SECONDS:g} s to arrive") from None
    except ClientDisconnect:
        raise Refusal(400, "the request ended before its body did") from None
    return bytes(content)


class _Body:
    """The body of a request, and how much of it has come."""

    def __init__(self, request: Request, uploads: Uploads, name: str) -> None:
        self.request, self.name, self.bytes = request, name, 0
        self._uploads = uploads

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield its chunks, as long as they are within the limits."""
        async for chunk in self.request.stream():
            self.bytes += len(chunk)
            self._uploads.use(len(chunk))
            self._uploads.check_size(self.bytes)
            yield chunk


async def let_finish(request: Request) -> None:
    """Read on for a moment: many clients read no answer before all is sent, and see a broken connection instead."""
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(_LINGER):
            async for _ in request.stream():
                pass
