"""The engine on Ray, local or the cluster in RAY_ADDRESS. Arrays travel through the object store, once a node."""

from __future__ import annotations

import math
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import ray
from numpy.typing import NDArray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError

from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.engine.base import Engine, Finished
from ensemble.engine.capacity import Capacity, Placement
from ensemble.engine.ray_progress import Mailbox, News
from ensemble.engine.resources import CPU, GPU, MEMORY, Amounts, total
from ensemble.engine.retries import Attempt, place_of
from ensemble.engine.tasks.base import FOLDS, LABELS, FoldTask, Task
from ensemble.engine.tasks.failures import Failure, ended, failure, overdue
from ensemble.engine.tasks.fold import Outcome, run_task

if TYPE_CHECKING:
    from typing import Self

_POLL_SECONDS = 0.5
_REACHABLE_SECONDS = 10
_NODES_SECONDS = 2  # for which the list of nodes is believed
_GIB = 2**30


class RayEngine(Engine):
    """Runs tasks on Ray. Results come back to the driver, which alone writes."""

    def __init__(self) -> None:
        super().__init__()
        self._references: dict[str, Any] = {}
        self._running: dict[Any, Attempt] = {}
        self._capacity = Capacity()
        self._looked = -math.inf

    def __enter__(self) -> Self:
        address = os.environ.get("RAY_ADDRESS")
        self.grows = bool(address)
        self._capacity = Capacity(self.grows)
        on_sigterm = signal.getsignal(signal.SIGTERM)
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address:
                _check_reachable(address)
                ray.init(address=address, **quiet)
            else:
                # A private Ray answers on loopback only, to those who know its token. Without one in the environment
                # Ray would write one into the user's home, and every later Ray of theirs would ask for it.
                os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
                ray.init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            hint = f"is a Ray head running at RAY_ADDRESS={address}?" if address else "try --engine inline"
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UserError(f"Ray cannot start ({reason}); {hint}") from None
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own in place, which aborts
        try:
            self._mailbox = Mailbox()
        except BaseException:  # Ctrl-C too: nobody else would end what has just begun
            ray.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the cluster; a private one ends, and with it every task that still runs."""
        for reference in self._running:
            ray.cancel(reference, force=True)
        self._running.clear()
        self._references.clear()
        ray.shutdown()

    def nodes(self) -> Sequence[Amounts]:
        """The living nodes of the cluster."""
        self._look()
        return list(self._capacity.nodes.values())

    def _look(self) -> None:
        """Ask Ray which nodes live, not too often."""
        if time.monotonic() - self._looked > _NODES_SECONDS:
            self._capacity.update(
                {node["NodeID"]: _amounts(node["Resources"]) for node in ray.nodes() if node["Alive"]}
            )
            self._looked = time.monotonic()

    def free(self) -> Amounts:
        """What is not taken, and a little more where the cluster may grow."""
        self._look()
        return self._capacity.free()

    def placement(self, want: Amounts) -> Placement:
        """Where a task goes: onto a node, into Ray's queue for one that may come, or nowhere yet."""
        return self._capacity.placement(want)

    def in_use(self) -> Amounts:
        """What the tasks occupy that have begun."""
        return total(attempt.occupies for attempt in self._running.values() if attempt.began is not None)

    def submit(self, task: Task) -> None:
        """Hand a task to Ray."""
        self._try(Attempt(task))

    def _try(self, attempt: Attempt) -> None:
        task, avoid = attempt.task, self._capacity.promise(attempt)
        elsewhere = {"label_selector": {"ray.io/node-id": f"!in({','.join(avoid)})"}} if avoid else {}
        options = {**_options(attempt.occupies), **elsewhere, "name": task.title, "max_retries": 0}
        # A worker that has used a GPU ends with its task, so that the memory of the GPU is surely free again.
        run = _RUN_AND_END if task.resources.num_gpus else _RUN
        reference = run.options(**options).remote(attempt.name, self._mailbox.actor, task, *self._arrays(task))
        self._running[reference] = attempt

    def _arrays(self, task: Task) -> list[Any]:
        """What a fold reads lies in the object store, which keeps it once on each node; a few rows travel along."""
        if isinstance(task, FoldTask):
            return [self._stored(key) for key in (task.table, LABELS, FOLDS)]
        return list(self.read(task))

    def _forget(self, reference: Any) -> Attempt:
        attempt = self._running.pop(reference)
        self._capacity.release(attempt)
        return attempt

    def _stored(self, key: str) -> Any:
        """A shared array in the object store, put there once."""
        if key not in self._references:
            self._references[key] = ray.put(self.shared[key])
        return self._references[key]

    def wait(self, board: ProgressBoard) -> list[Finished]:
        """What is over by now; a task whose worker died is tried again."""
        references = list(self._running)
        awaited = [*references, *self._mailbox.reference()]
        ray.wait(awaited, num_returns=1, timeout=_POLL_SECONDS) if awaited else time.sleep(_POLL_SECONDS)
        self._read_news(board)
        over = ray.wait(references, num_returns=len(references), timeout=0)[0] if references else []
        found = [self._settle(reference, board) for reference in over]
        late = [ref for ref, attempt in self._running.items() if attempt.overdue or self.time_is_up]
        return [each for each in found if each is not None] + [self._end(reference) for reference in late]

    def _read_news(self, board: ProgressBoard) -> None:
        running = {attempt.name: attempt for attempt in self._running.values()}
        for news in self._mailbox.news():
            if attempt := running.get(news.attempt):
                attempt.begins(news.node)
                board.advanced(attempt.task.title, news.fraction, news.text)

    def _settle(self, reference: Any, board: ProgressBoard) -> Finished | None:
        """What came of a task; None when it is tried again."""
        attempt = self._forget(reference)
        try:
            ran: Finished = ray.get(reference)
        except RayError as error:  # the worker itself died, or its node, or what it had brought was lost with it
            again = self._next_try(attempt, error)
            if again is None:
                return Finished(attempt.task, failure(error), attempt.place, attempt.since, time.time())
            board.log(f"  {attempt.task.title}: {_told(error)}; it is tried again")
            self._try(again)
            return None
        return replace(ran, task=attempt.task)

    def _next_try(self, attempt: Attempt, error: RayError) -> Attempt | None:
        if isinstance(error, RayTaskError):  # an exception of ours, or of unpickling: it would come again
            return None
        self._looked = -math.inf
        self._look()
        lives = not isinstance(error, NodeDiedError) and (not attempt.node or attempt.node in self._capacity.nodes)
        return attempt.again(lives, isinstance(error, OutOfMemoryError))

    def _end(self, reference: Any) -> Finished:
        """End a task that runs too long."""
        ray.cancel(reference, force=True)
        attempt = self._forget(reference)
        value = ended() if self.time_is_up else overdue(attempt.task)
        return Finished(attempt.task, value, attempt.place, attempt.since, time.time())

    def cancel(self, group: str) -> None:
        """End what was submitted of a group of tasks."""
        for reference in [ref for ref, attempt in self._running.items() if attempt.task.group == group]:
            ray.cancel(reference, force=True)
            self._forget(reference)

    @property
    def busy(self) -> bool:
        """Whether a submitted task is not over yet."""
        return bool(self._running)


def _check_reachable(address: str) -> None:
    """Fail at once where nobody listens: Ray itself would go on trying for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=_REACHABLE_SECONDS).close()


def _amounts(resources: dict[str, float]) -> dict[str, float]:
    """As Ray counts them, but GiB, and without the marks that every node bears."""
    found = {name: amount for name, amount in resources.items() if not name.startswith(("node:", "object_store_"))}
    return {**found, MEMORY: found.get(MEMORY, 0.0) / _GIB}


def _options(want: Amounts) -> dict[str, Any]:
    custom = {name: amount for name, amount in want.items() if name not in (CPU, GPU, MEMORY)}
    memory = {"memory": int(want[MEMORY] * _GIB)} if MEMORY in want else {}
    return {"num_cpus": want.get(CPU, 0), "num_gpus": want.get(GPU, 0), "resources": custom, **memory}


def _told(error: RayError) -> str:
    kinds = {OutOfMemoryError: "its worker was killed for want of memory", NodeDiedError: "its machine was lost"}
    return next((words for kind, words in kinds.items() if isinstance(error, kind)), "its worker died")


def _run(attempt: str, mailbox: Any, task: Task, *arrays: NDArray[Any]) -> Finished:
    """What a worker does. An exception comes home as a value, so that it never needs to be unpickled there."""
    node, started = ray.get_runtime_context().get_node_id(), time.time()

    def report(fraction: float, text: str) -> None:
        mailbox.post.remote(News(attempt, node, fraction, text))

    report(0.0, "started")
    value: Outcome | Failure
    try:
        value = run_task(task, arrays, report)
    except BaseException as error:
        value = failure(error)
    return Finished(task, value, place_of(node, os.getpid()), started, time.time())


_RUN: Any = ray.remote(_run)
_RUN_AND_END: Any = ray.remote(max_calls=1)(_run)
