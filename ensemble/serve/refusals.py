"""Requests that are not answered, each with a status of HTTP and a sentence."""

from __future__ import annotations

import math


class Refusal(Exception):
    """A request that is not answered.

    Parameters
    ----------
    status : int
        Of HTTP.
    reason : str
        What is wrong, and what to do.
    retry_after : float or None
        Seconds after which to try again.
    """

    def __init__(self, status: int, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason
        self.headers = {} if retry_after is None else {"Retry-After": str(max(math.ceil(retry_after), 1))}
