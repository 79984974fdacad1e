"""HTTP connections that do not wait for ever for a request, and of which there are not too many."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

_SECONDS: Final = 10.0  # for the head of a request


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which by itself waits for the first request of a connection as long as it takes."""

    most_connections = 2_000  # of a worker

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.most_connections:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self._silence.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._silence.cancel()
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self._silence = self.loop.call_later(_SECONDS, self._give_up, self.cycle)

    def _give_up(self, last: object) -> None:
        if self.cycle is last and (self.cycle is None or self.cycle.response_complete):  # no request since
            self.transport.close()
