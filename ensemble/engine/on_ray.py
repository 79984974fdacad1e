"""The engine on Ray, local or the cluster in RAY_ADDRESS. Arrays travel through the object store, once a node."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import ray
from numpy.typing import NDArray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError

from ensemble.config import MemberSettings
from ensemble.engine.amounts import CPU, GPU, MEMORY, Amounts, lacking, total, wants, without
from ensemble.engine.attempts import Attempt
from ensemble.engine.base import Engine, Failure, Finished
from ensemble.engine.failures import ended, failure, overdue
from ensemble.engine.mailbox import Mailbox, News
from ensemble.engine.run import Outcome, run_task
from ensemble.engine.task import FOLDS, LABELS, FoldTask, Task
from ensemble.errors import UserError
from ensemble.progress import Board

if TYPE_CHECKING:
    from typing_extensions import Self

_POLL_SECONDS = 0.5
_KNOCK_SECONDS = 10
_NODES_SECONDS = 2  # for which the list of nodes is believed
_AWAITED = 4  # tasks that wait for a kind of machine that is not there yet
_AHEAD = 0.5  # of a cluster that may grow is submitted before it is free: Ray's autoscaler goes by what is pending
_GIB = 2**30


class RayEngine(Engine):
    """Runs tasks on Ray. Results come back to the driver, which alone writes."""

    def __init__(self) -> None:
        super().__init__()
        self._references: dict[str, Any] = {}
        self._running: dict[Any, Attempt] = {}
        self._nodes: tuple[float, dict[str, Amounts]] = (-_NODES_SECONDS, {})
        self._awaited: dict[str, float] = {}
        self._taken: dict[str, float] = {}

    def __enter__(self) -> Self:
        address = os.environ.get("RAY_ADDRESS")
        self.grows = bool(address)
        on_sigterm = signal.getsignal(signal.SIGTERM)
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
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own in place, which aborts
        self._mailbox = Mailbox()
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
        return list(self._alive().values())

    def _alive(self) -> dict[str, Amounts]:
        when, found = self._nodes
        if time.monotonic() - when > _NODES_SECONDS:
            found = {node["NodeID"]: _amounts(node["Resources"]) for node in ray.nodes() if node["Alive"]}
            self._nodes = time.monotonic(), found
        return found

    def fit_to_hardware(self, members: Iterable[MemberSettings]) -> tuple[list[MemberSettings], dict[str, str]]:
        """Members as they can run here; what some of them wait for is asked of a cluster that may grow."""
        able, unable = super().fit_to_hardware(members)
        asked = [wants(each) for member in able for each in (member.resources, member.features_resources)]
        self._awaited = {
            name: max(want.get(name, 0) for want in asked) for name in lacking(_most(asked), _most(self.nodes()))
        }
        return able, unable

    def free(self) -> Amounts:
        """What is not taken, and a little more where the cluster may grow."""
        have = {name: amount * (1 + _AHEAD * self.grows) for name, amount in total(self.nodes()).items()}
        missing = {name: amount * _AWAITED for name, amount in self._awaited.items() if not have.get(name)}
        if not missing:
            return without(have, self._taken)
        taken = [attempt.occupies for attempt in self._running.values()]
        pending = total(want for want in taken if missing.keys() & want)  # takes nothing yet of what is there
        placed = total(want for want in taken if not missing.keys() & want)
        return {**without(have, placed), **without(missing, pending)}

    def taken(self) -> Amounts:
        """What the tasks occupy that have begun."""
        return total(attempt.occupies for attempt in self._running.values() if attempt.began is not None)

    def submit(self, task: Task) -> None:
        """Hand a task to Ray."""
        self._try(Attempt(task))

    def _try(self, attempt: Attempt) -> None:
        task, nodes = attempt.task, self.nodes()
        attempt.occupies = attempt.wants(nodes)
        # A worker that has used a GPU ends with its task, so that the memory of the GPU is surely free again.
        run = _RUN_AND_END if task.resources.num_gpus else _RUN
        options = {**_options(attempt.occupies), **self._elsewhere(attempt), "name": task.title, "max_retries": 0}
        reference = run.options(**options).remote(attempt.name, self._mailbox.actor, task, *self._arrays(task))
        self._running[reference] = attempt
        self._taken = total([self._taken, attempt.occupies])

    def _arrays(self, task: Task) -> list[Any]:
        """What a fold reads lies in the object store, which keeps it once on each node; a few rows travel along."""
        if isinstance(task, FoldTask):
            return [self._stored(key) for key in (task.table, LABELS, FOLDS)]
        return list(self.read(task))

    def _forget(self, reference: Any) -> Attempt:
        attempt = self._running.pop(reference)
        self._taken = without(self._taken, attempt.occupies)
        return attempt

    def _stored(self, key: str) -> Any:
        """A shared array in the object store, put there once."""
        if key not in self._references:
            self._references[key] = ray.put(self.shared[key])
        return self._references[key]

    def _elsewhere(self, attempt: Attempt) -> dict[str, Any]:
        """On other nodes than those on which its worker died, if one of them could hold it."""
        others = [node for key, node in self._alive().items() if key not in attempt.avoid]
        if not attempt.avoid or not any(not lacking(attempt.wants(others), node) for node in others):
            return {}
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(sorted(attempt.avoid))})"}}

    def wait(self, board: Board) -> list[Finished]:
        """What is over by now; a task whose worker died is tried again."""
        references = list(self._running)
        awaited = [*references, *self._mailbox.reference()]
        ray.wait(awaited, num_returns=1, timeout=_POLL_SECONDS) if awaited else time.sleep(_POLL_SECONDS)
        self._read_news(board)
        over = ray.wait(references, num_returns=len(references), timeout=0)[0] if references else []
        found = [self._settle(reference, board) for reference in over]
        late = [ref for ref, attempt in self._running.items() if attempt.overdue or self.time_is_up]
        return [each for each in found if each is not None] + [self._end(reference) for reference in late]

    def _read_news(self, board: Board) -> None:
        running = {attempt.name: attempt for attempt in self._running.values()}
        for news in self._mailbox.news():
            if attempt := running.get(news.attempt):
                attempt.begins(news.node)
                board.advanced(attempt.task.title, news.fraction, news.text)

    def _settle(self, reference: Any, board: Board) -> Finished | None:
        """What came of a task; None when it is tried again."""
        attempt = self._forget(reference)
        try:
            ran: Finished = ray.get(reference)
        except RayError as error:  # the worker itself died, or its node, or what it had brought was lost with it
            again = self._next_try(attempt, error)
            if again is None:
                return Finished(attempt.task, failure(error), attempt.node, attempt.since, time.time())
            board.say(f"  {attempt.task.title}: {_told(error)}; it is tried again")
            self._try(again)
            return None
        return ran

    def _next_try(self, attempt: Attempt, error: RayError) -> Attempt | None:
        if isinstance(error, RayTaskError):  # an exception of ours, or of unpickling: it would come again
            return None
        self._nodes = (-_NODES_SECONDS, {})  # to be asked anew
        lives = not isinstance(error, NodeDiedError) and (not attempt.node or attempt.node in self._alive())
        return attempt.again(lives, isinstance(error, OutOfMemoryError))

    def _end(self, reference: Any) -> Finished:
        """End a task that runs too long."""
        ray.cancel(reference, force=True)
        attempt = self._forget(reference)
        value = ended() if self.time_is_up else overdue(attempt.task)
        return Finished(attempt.task, value, attempt.node, attempt.since, time.time())

    def cancel(self, group: str) -> None:
        """End what was submitted of a group of tasks."""
        for reference in [ref for ref, attempt in self._running.items() if attempt.task.group == group]:
            ray.cancel(reference, force=True)
            self._forget(reference)

    @property
    def busy(self) -> bool:
        """Whether a submitted task is not over yet."""
        return bool(self._running)


def _knock(address: str) -> None:
    """Fail at once where nobody listens: Ray itself would go on trying for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()


def _amounts(resources: dict[str, float]) -> dict[str, float]:
    """As Ray counts them, but GiB, and without the marks that every node bears."""
    found = {name: amount for name, amount in resources.items() if not name.startswith(("node:", "object_store_"))}
    return {**found, MEMORY: found.get(MEMORY, 0.0) / _GIB}


def _most(several: Iterable[Amounts]) -> dict[str, float]:
    """The most of each that one of them has."""
    found: dict[str, float] = {}
    for each in several:
        found |= {name: max(amount, found.get(name, 0.0)) for name, amount in each.items()}
    return found


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
    except (Exception, SystemExit) as error:
        value = failure(error)
    return Finished(task, value, f"{node[:12]}/{os.getpid()}", started, time.time())


_RUN: Any = ray.remote(_run)
_RUN_AND_END: Any = ray.remote(max_calls=1)(_run)
