"""HTTP connections that wait neither for a request nor for a reader for ever, and of which there are not too many."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

_SECONDS: Final = 10.0  # for the head of a request
_READING: Final = 30.0  # seconds for a client to take what fills the buffer of its answer


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which by itself waits as long as it takes for a first request, and for answers to be read."""

    most_connections = 2_000  # of a worker
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.most_connections:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self._silence.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._unread = self.loop.call_later(_READING, self.transport.abort)

    def resume_writing(self) -> None:
        """End that wait."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._silence.cancel()
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self._silence = self.loop.call_later(_SECONDS, self._give_up, self.cycle)

    def _give_up(self, last: object, unread: bool = False) -> None:
        if self.cycle is not last or (self.cycle is not None and not self.cycle.response_complete):
            return  # there was a request since
        if not self.transport.get_write_buffer_size():
            self.transport.close()
        elif unread:
            self.transport.abort()
        else:  # the answer is still being read
            self._silence = self.loop.call_later(_READING, self._give_up, last, True)
