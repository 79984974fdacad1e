"""Photographs of all requests that wait together, answered in small batches.

They are decoded as they come, by a few threads. The models compute one batch after the other in a thread of their own,
and the next batch is all that waits by then: alone, a photograph does not wait for others.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from ensemble.predict.answers import Answer
from ensemble.predict.predictor import AT_ONCE, Bundle, Pending
from ensemble.serve.refusals import Refusal

_SMOOTHING = 0.2  # of the seconds that a photograph takes

T = TypeVar("T")
Waiting = tuple[Pending, "asyncio.Future[Answer]"]


class Batches:
    """The queue in front of a bundle; belongs to one event loop.

    Parameters
    ----------
    most : int
        Photographs that may wait; more are refused with 503.
    """

    def __init__(self, bundle: Bundle, most: int) -> None:
        self._bundle, self._most = bundle, most
        self._threads = ThreadPoolExecutor(bundle.threads, "prepare")
        self._models = ThreadPoolExecutor(1, "models")
        self._queue = deque[Waiting]()
        self._computing: asyncio.Task[None] | None = None
        self._seconds = bundle.manifest.milliseconds / 1000
        self.waiting = 0

    @contextmanager
    def room(self, photographs: int) -> Iterator[None]:
        """Count photographs as waiting until the block ends.

        Raises
        ------
        Refusal
            Too many would wait.
        """
        if photographs > self._most:  # to try again later would not help
            raise Refusal(
                413,
                f"it counts as {photographs:,} photographs, and at most {self._most:,} may wait; send fewer",
            )
        if self.waiting + photographs > self._most:
            raise Refusal(503, "too many photographs are waiting; try again later", self.waiting * self._seconds)
        self.waiting += photographs
        try:
            yield
        finally:
            self.waiting -= photographs

    async def prepare(self, photographs: Sequence[tuple[str, bytes]]) -> list[Pending]:
        """Decode photographs, given by name and content, and bring them to the size of the models."""
        calls = [partial(self._bundle.prepare, name, partial(bytes, content)) for name, content in photographs]
        return await self.beside(calls)

    async def beside(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Call functions in the threads that prepare photographs, and return what they return."""
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(self._threads, call) for call in calls))

    async def compute(self, pending: Sequence[Pending]) -> list[Answer]:
        """Return the answers about prepared photographs."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answer]] = [loop.create_future() for _ in pending]
        self._queue.extend(zip(pending, futures, strict=True))
        if self._computing is None:
            self._computing = loop.create_task(self._compute())
        return await asyncio.gather(*futures)

    async def _compute(self) -> None:
        """Answer batch after batch until nothing waits."""
        loop = asyncio.get_running_loop()
        try:
            while batch := self._next_batch():
                begun = time.monotonic()
                computed = loop.run_in_executor(self._models, self._bundle.compute, [pending for pending, _ in batch])
                (answers,) = await asyncio.gather(computed, return_exceptions=True)
                for number, (_, future) in enumerate(batch):
                    if future.done():  # given up meanwhile
                        continue
                    if isinstance(answers, BaseException):  # of any library: nobody may wait for ever
                        future.set_exception(answers)
                    else:
                        future.set_result(answers[number])
                each = (time.monotonic() - begun) / len(batch)
                self._seconds += _SMOOTHING * (each - self._seconds)
        finally:
            self._computing = None

    def _next_batch(self) -> list[Waiting]:
        """Take the first photographs from the queue, without those that were given up."""
        batch: list[Waiting] = []
        while self._queue and len(batch) < AT_ONCE:
            pending, future = self._queue.popleft()
            if not future.done():
                batch.append((pending, future))
        return batch

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)
        self._models.shutdown(cancel_futures=True)
