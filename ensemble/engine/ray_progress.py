"""How running tasks on other machines tell how far they are: an actor beside the driver, which empties it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

_EVERY_SECONDS = 0.3


@dataclass(frozen=True)
class News:
    """The last that a task reported: which attempt at it, on which node, how far it is."""

    attempt: str
    node: str
    fraction: float
    text: str


class _Mailbox:
    def __init__(self) -> None:
        self.news: dict[str, News] = {}

    def post(self, news: News) -> None:
        self.news[news.attempt] = news

    def take(self) -> list[News]:
        news, self.news = list(self.news.values()), {}
        return news


class Mailbox:
    """The driver's end. Nothing here waits: no fold ends for a progress bar, and none is held up by one."""

    def __init__(self) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self.actor: Any = ray.remote(_Mailbox).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
        self._asked: Any = None
        self._when = 0.0

    def reference(self) -> list[Any]:
        """What to wait for besides tasks, when it is time for news again."""
        if self._asked is None and time.monotonic() - self._when > _EVERY_SECONDS:
            self._asked, self._when = self.actor.take.remote(), time.monotonic()
        return [] if self._asked is None else [self._asked]

    def news(self) -> list[News]:
        """What has come since the last time."""
        if self._asked is None or not ray.wait([self._asked], timeout=0)[0]:
            return []
        asked, self._asked = self._asked, None
        try:
            found: list[News] = ray.get(asked)
        except RayError:  # its process died; Ray starts another
            return []
        return found
