"""What a server takes on: sizes, counts, times and rates. The defaults suit a machine of a few cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEBIBYTE: Final = 2**20


@dataclass(frozen=True)
class Limits:
    """Limits of one worker process.

    Attributes
    ----------
    photographs : int
        Photographs of one request.
    request_bytes : int
        Bytes of one request.
    memory_bytes : int
        Bytes of the bodies of all requests that are read or answered at a time; forms are in memory twice for a moment.
    waiting : int
        Photographs that may wait for the models.
    seconds : float
        Seconds from the last byte of a request to its answer.
    upload_seconds : float
        Seconds that a request may take to arrive.
    per_minute : int
        Photographs of one client.
    connections : int
        Connections that are open at a time.
    """

    photographs: int = 32
    request_bytes: int = 64 * MEBIBYTE
    memory_bytes: int = 512 * MEBIBYTE
    waiting: int = 256
    seconds: float = 30.0
    upload_seconds: float = 60.0
    per_minute: int = 600
    connections: int = 2_000

    @property
    def at_once(self) -> int:
        """Photographs of one request that no other limit stands against."""
        return min(self.photographs, self.per_minute, self.waiting)
