"""The engine on Ray, local or the cluster in RAY_ADDRESS. Arrays travel through the object store, once a node."""

from __future__ import annotations

import itertools
import math
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayError

from ensemble.config import Recipe, Resources
from ensemble.engine.base import Engine, FoldFailure, Node, Workload
from ensemble.engine.inline import failure, overdue
from ensemble.engine.task import FoldTask, run_features, run_fold
from ensemble.errors import UserError
from ensemble.oof import FoldResult
from ensemble.progress import Board

if TYPE_CHECKING:
    from typing_extensions import Self

_POLL_SECONDS = 0.5
_KNOCK_SECONDS = 10
_CHUNKS_A_SLOT = 3  # one is computed, one lies ready, one travels
_RETRIES = 2  # of a worker that died; a member's own exception is not tried again
_GIB = 2**30


class RayEngine(Engine):
    """Runs tasks on Ray. Results come back to the driver, which alone writes."""

    def __init__(self) -> None:
        self._shared: dict[int, tuple[Any, NDArray[Any]]] = {}

    def __enter__(self) -> Self:
        address = os.environ.get("RAY_ADDRESS")
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address:
                _knock(address)
                ray.init(address=address, **quiet)
            else:
                # A private Ray answers on loopback only, to those who know its token. Without one in the environment
                # Ray would write one into the user's home, and every later Ray of theirs would ask for it.
                os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
                ray.init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        except (OSError, RuntimeError, RayError) as error:
            hint = f"is a Ray head running at RAY_ADDRESS={address}?" if address else "try --engine inline"
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UserError(f"Ray cannot start ({reason}); {hint}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the cluster; a private one ends, and with it every task that still runs."""
        self._shared.clear()
        ray.shutdown()

    def features(
        self, recipe: Recipe, photographs: NDArray[np.uint8], chunks: Sequence[slice]
    ) -> Iterator[tuple[int, NDArray[np.float32], float]]:
        """Yield (index of the chunk, its features, seconds), in the order in which they are finished.

        Only a few chunks are on their way at a time, so that memory does not grow with the photographs.
        """
        run = ray.remote(run_features).options(num_cpus=1, max_retries=_RETRIES, name=f"features/{recipe.use}")
        todo = iter(enumerate(chunks))
        waiting: dict[Any, int] = {}
        try:
            while True:
                ahead = max(1, _CHUNKS_A_SLOT * math.ceil(self.slots()))  # a cluster may grow
                for index, chunk in itertools.islice(todo, max(0, ahead - len(waiting))):
                    waiting[run.remote(recipe, photographs[chunk])] = index
                if not waiting:
                    return
                done, _ = ray.wait(list(waiting), num_returns=1)
                index = waiting.pop(done[0])
                yield index, *ray.get(done[0])
        finally:  # after one failing chunk the others would only take CPUs from the folds
            for reference in waiting:
                ray.cancel(reference)

    def folds(self, work: Workload, board: Board) -> Iterator[FoldResult | FoldFailure]:
        """Yield each fold as it is finished."""
        mailbox = _MailboxActor.remote()
        tables = {key: self._share(table) for key, table in work.tables.items()}
        labels = ray.put(work.labels)
        waiting = {_submit(task, tables[work.table_of[task.member.name]], labels, mailbox): task for task in work.tasks}
        begun: dict[str, float] = {}
        try:
            while waiting:
                done, _ = ray.wait(list(waiting), num_returns=1, timeout=_POLL_SECONDS)
                for title, fraction, text in _news(mailbox):
                    board.advanced(title, fraction, text)
                    if fraction == 0 or title not in begun:  # a worker that died is tried again from the start
                        begun[title] = time.monotonic()
                for reference in done:
                    yield _outcome(reference, waiting.pop(reference))
                for reference in _overdue(waiting, begun, work.timeout):
                    ray.cancel(reference, force=True)
                    yield overdue(waiting.pop(reference), work.timeout)
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)

    def _share(self, array: NDArray[Any]) -> Any:
        """Put an array into the object store, once."""
        if id(array) not in self._shared:
            self._shared[id(array)] = (ray.put(array), array)  # holding the array keeps its id its own
        return self._shared[id(array)][0]

    def nodes(self) -> list[Node]:
        """The living nodes of the cluster."""
        resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return [Node(r.get("CPU", 0.0), r.get("GPU", 0.0), r.get("memory", 0.0) / _GIB) for r in resources]

    def slots(self) -> float:
        """CPUs of the cluster."""
        return float(ray.cluster_resources().get("CPU", 1.0))


def _knock(address: str) -> None:
    """Fail at once where nobody listens: Ray itself would go on trying for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()


def _news(mailbox: Any) -> list[tuple[str, float, str]]:
    """What running tasks reported; nothing when the mailbox itself is lost: no fold ends for a progress bar."""
    try:
        news: list[tuple[str, float, str]] = ray.get(mailbox.take.remote(), timeout=_KNOCK_SECONDS)
    except RayError:
        return []
    return news


class _Mailbox:
    """Takes what running tasks report; the driver empties it."""

    def __init__(self) -> None:
        self.news: dict[str, tuple[str, float, str]] = {}

    def post(self, title: str, fraction: float, text: str) -> None:
        self.news[title] = (title, fraction, text)

    def take(self) -> list[tuple[str, float, str]]:
        news, self.news = list(self.news.values()), {}
        return news


_MailboxActor: Any = ray.remote(num_cpus=0)(_Mailbox)


def _overdue(waiting: dict[Any, FoldTask], begun: dict[str, float], timeout: float) -> list[Any]:
    """Tasks that have run too long; those that still wait for a worker have not begun."""
    now = time.monotonic()
    return [reference for reference, task in waiting.items() if now - begun.get(task.title, now) > timeout]


def _submit(task: FoldTask, table: Any, labels: Any, mailbox: Any) -> Any:
    options = {**_options(task.member.resources), "max_retries": _RETRIES, "name": task.title}
    return ray.remote(_run).options(**options).remote(task, table, labels, mailbox)


def _options(resources: Resources) -> dict[str, Any]:
    memory = {} if resources.memory_gib is None else {"memory": int(resources.memory_gib * _GIB)}
    return {"num_cpus": resources.num_cpus, "num_gpus": resources.num_gpus, **memory}


def _run(task: FoldTask, table: NDArray[Any], labels: NDArray[np.int64], mailbox: Any) -> FoldResult | FoldFailure:
    """What a worker does. An exception comes home as a value, so that it never needs to be unpickled there."""
    mailbox.post.remote(task.title, 0.0, "started")
    try:
        return run_fold(task, table, labels, lambda done, text: mailbox.post.remote(task.title, done, text))
    except (Exception, SystemExit) as error:
        return failure(task, error)


def _outcome(reference: Any, task: FoldTask) -> FoldResult | FoldFailure:
    try:
        outcome: FoldResult | FoldFailure = ray.get(reference)
    except RayError as error:  # the worker itself died
        return failure(task, error)
    return outcome
