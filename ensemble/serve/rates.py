"""How many photographs a client may send: a token bucket for each (as in RFC 2697, without its second bucket)."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final

from ensemble.serve.refusals import Refusal

_MOST_CLIENTS: Final = 10_000  # of whom is remembered what they sent; the oldest are forgotten


class Rates:
    """Photographs a minute of each client; a client that sent nothing for a minute may send as many at once."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._clients = OrderedDict[str, tuple[float, float]]()  # photographs that may come, and since when

    def take(self, client: str, photographs: int, before: int = 0) -> None:
        """Count photographs of a client.

        Parameters
        ----------
        before : int
            Photographs of the same request that were counted before.

        Raises
        ------
        Refusal
            They are more than it may send now, or ever.
        """
        if photographs + before > self._per_minute:  # to try again later would not help
            raise Refusal(
                413,
                f"it counts as {photographs + before:,} photographs, and at most {self._per_minute:,} a minute may "
                "come; send fewer",
            )
        now = time.monotonic()
        allowed, since = self._clients.pop(client, (float(self._per_minute), now))
        allowed = min(allowed + (now - since) * self._per_minute / 60, self._per_minute)
        enough = photographs <= allowed
        self._clients[client] = (allowed - photographs if enough else allowed, now)
        if len(self._clients) > _MOST_CLIENTS:
            self._clients.popitem(last=False)
        if not enough:
            seconds = (photographs - allowed) * 60 / self._per_minute
            raise Refusal(429, f"more than {self._per_minute:,} photographs a minute; try again later", seconds)
