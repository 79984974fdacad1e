"""Content hashes of values and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from ensemble.core.storage.files import Location


def digest(value: Any) -> str:
    """Compute the sha256 (hex) of a JSON-able value; the order of keys does not matter."""
    return hashlib.sha256(_canonical(value)).hexdigest()


def digest_of_chunks(chunks: Iterable[list[Any]], *rest: Any) -> str:
    """Compute `digest([all chunks as one list, *rest])` of chunks that are not empty, one chunk in memory at a time."""
    hashed, between = hashlib.sha256(b"[["), b""
    for chunk in chunks:
        hashed.update(between + _canonical(chunk)[1:-1])
        between = b","
    hashed.update(b"]" + b"".join(b"," + _canonical(value) for value in rest) + b"]")
    return hashed.hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def text_sha256(text: str) -> str:
    """Compute the sha256 (hex) of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Location) -> str:
    """Compute the sha256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
