"""What files say of their origin, each read by a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from ensemble.serve.provenance.credentials import may_have_manifest
from ensemble.serve.provenance.metadata import may_have_facts

_AT_ONCE: Final = 2
_SECONDS: Final = 10.0  # for the files of one request: nobody waits longer for what says little
_MOST_OUTPUT: Final = 2**16  # bytes
_CLAIMS: Final = "Everybody can write these, and remove them."
_SAYS: Final = "It says that a machine made the picture, or a part of it."
_SUMMARIES: Final = {
    "none": "The file has no signed manifest. That says nothing: most cameras write none, most services remove it.",
    "not read": "The file names a signed manifest, and this server has no c2pa-python to read it.",
    "failed": "What the file says of its origin could not be read in time. That says nothing.",
    "unreadable": "The file has what looks like a signed manifest, and it cannot be read. That says nothing.",
    "trusted": "The file has a signed manifest. It belongs to this file, and its certificate is of the trust list.",
    "valid": "The file has a signed manifest that belongs to it. Anybody may have signed it, under any name.",
    "invalid": "The file has a signed manifest that does not belong to it, or was changed. Mere editing does that. "
    "What it says is not shown.",
}


class Said(BaseModel):
    """What the process writes."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    manifest: Literal["none", "not read", "failed", "unreadable", "invalid", "valid", "trusted"]
    """State of the signed manifest (C2PA)."""
    says_generated: bool = False
    """Whether the file says that a machine made the picture, or a part of it."""
    facts: list[tuple[str, str]] = []
    """Titles and texts."""


class Provenance(Said):
    """What a file says of its origin. It does not change the answer."""

    summary: str
    """In a few sentences."""


_FAILED: Final = Said(manifest="failed")


class ProvenanceReader:
    """Starter of the processes, a few at a time; it belongs to one event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def read(self, contents: Sequence[bytes]) -> list[Provenance]:
        """Return what each file says; of those that are not read within some seconds, that they could not be read."""
        until = asyncio.get_running_loop().time() + _SECONDS
        return await asyncio.gather(*(self._read(content, until) for content in contents))

    async def _read(self, content: bytes, until: float) -> Provenance:
        if not await asyncio.to_thread(_may_say_something, content):
            return _provenance(Said(manifest="none"))
        try:
            async with asyncio.timeout_at(until), self._free:
                return _provenance(await _said(content))
        except TimeoutError:
            return _provenance(_FAILED)


def _may_say_something(content: bytes) -> bool:
    return may_have_manifest(content) or may_have_facts(content)


def _provenance(said: Said) -> Provenance:
    summary = " ".join([_SUMMARIES[said.manifest], *[_SAYS] * said.says_generated, *[_CLAIMS] * bool(said.facts)])
    return Provenance(summary=summary, **said.model_dump())


async def _said(content: bytes) -> Said:
    """Return what the process writes; that it failed, whatever went wrong: it would not be worth the answer."""
    try:
        return Said.model_validate_json(await _written(content))
    except (ValueError, OSError):
        return _FAILED


async def _written(content: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "ensemble.serve.provenance.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},  # no secrets
    )
    sent = asyncio.create_task(_send(process, content))
    try:
        assert process.stdout is not None  # noqa: S101  a pipe
        answer = b""
        while len(answer) < _MOST_OUTPUT and (part := await process.stdout.read(_MOST_OUTPUT)):
            answer += part
        await sent
        return answer
    finally:
        sent.cancel()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _send(process: asyncio.subprocess.Process, content: bytes) -> None:
    assert process.stdin is not None  # noqa: S101  a pipe
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()
