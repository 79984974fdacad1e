"""The engine on Ray, local or the cluster in RAY_ADDRESS."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError

from ensemble.core.console.progress import ProgressBoard
from ensemble.core.storage.array_file import ArrayFile
from ensemble.engine.base import Engine
from ensemble.engine.capacity import Capacity
from ensemble.engine.ray_arrays import BlocksOfArray, remove_files
from ensemble.engine.ray_connection import connect
from ensemble.engine.ray_progress import ProgressReports, TaskProgress
from ensemble.engine.resources import CPU, GPU, MEMORY, Amounts, total
from ensemble.engine.retries import Attempt, worker_name
from ensemble.engine.task_queue import Placement
from ensemble.engine.tasks.base import Outcome, Task
from ensemble.engine.tasks.failures import cancelled, failure

if TYPE_CHECKING:
    from typing import Self

_POLL_SECONDS = 0.5
_NODES_SECONDS = 2  # for which a list of nodes is used
_REMOVE_SECONDS = 5.0  # for which the nodes are awaited, at the end, until their files are removed
_GIB = 2**30


class RayEngine(Engine):
    """Engine that runs tasks on Ray. Results come back to the driver, which alone writes."""

    name = "ray"

    def __init__(self) -> None:
        super().__init__()
        self._references: dict[str, Any] = {}
        self._running: dict[Any, Attempt] = {}
        self._unsent: list[Outcome] = []  # of tasks whose inputs could not be read here
        self._capacity = Capacity()
        self._listed = -math.inf
        self._progress: ProgressReports

    def __enter__(self) -> Self:
        self.grows = bool(os.environ.get("RAY_ADDRESS"))
        self._capacity = Capacity(self.grows)
        connect()
        try:
            self._progress = ProgressReports()
        except BaseException:  # Ctrl-C too: nobody else would end the Ray that has just started
            ray.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the cluster; a private one ends, and with it every task that still runs."""
        try:
            for reference in self._running:
                ray.cancel(reference, force=True)
            self._remove_files(list(self._references), wait=_REMOVE_SECONDS)
        except (RayError, RuntimeError, ConnectionError):  # the cluster is gone
            pass
        finally:
            self._running.clear()
            self._references.clear()
            ray.shutdown()

    def share(self, key: str, array: NDArray[Any] | ArrayFile) -> None:
        """Offer an array; tasks that are submitted from now on read this one."""
        if self.shared.get(key) is not array:
            self.unshare(key)
            super().share(key, array)

    def unshare(self, key: str) -> None:
        """Drop an array that no task reads any more, here and on the nodes."""
        super().unshare(key)
        self._remove_files([key], wait=0)
        self._references.pop(key, None)

    def _remove_files(self, keys: Sequence[str], wait: float) -> None:
        stored = [self._references.get(key) for key in keys]
        if names := [each.name for each in stored if isinstance(each, BlocksOfArray)]:
            remove_files(names, list(self._capacity.nodes), wait)

    def nodes(self) -> Sequence[Amounts]:
        """Return the resources of the nodes that are alive."""
        self._list_nodes()
        return list(self._capacity.nodes.values())

    def _list_nodes(self) -> None:
        """Ask Ray which nodes are alive, not too often."""
        if time.monotonic() - self._listed > _NODES_SECONDS:
            alive = {node["NodeID"]: _amounts(node["Resources"]) for node in ray.nodes() if node["Alive"]}
            self._capacity.update(alive)
            self._listed = time.monotonic()

    def free(self) -> Amounts:
        """Return what is not promised, and a little more where the cluster may grow."""
        self._list_nodes()
        return self._capacity.free()

    def placement(self, request: Amounts) -> Placement:
        """Return where a task goes: onto a node, into Ray's queue for a node that may join, or nowhere yet."""
        return self._capacity.placement(request)

    def in_use(self) -> Amounts:
        """Return what the tasks occupy that have started."""
        return total(attempt.occupies for attempt in self._running.values() if attempt.running_since is not None)

    def submit(self, task: Task) -> None:
        """Hand a task to Ray."""
        self._try(Attempt(task))

    def _try(self, attempt: Attempt) -> None:
        task = attempt.task
        try:
            picked = [np.asarray(each) if self._travels(each) else each for each in task.pick(self.shared)]
        except Exception as error:  # a stored model was replaced meanwhile, say: that concerns this task alone
            self._unsent.append(Outcome(task, failure(error), "", attempt.started, time.time()))
            return
        avoid = self._capacity.promise(attempt)
        elsewhere = {"label_selector": {"ray.io/node-id": f"!in({','.join(avoid)})"}} if avoid else {}
        options = {**_options(attempt.occupies), **elsewhere, "name": task.title, "max_retries": 0}
        if not task.resources.num_gpus and (self.grows or any(node.get(GPU) for node in self._capacity.nodes.values())):
            options["runtime_env"] = _NO_GPU
        # A worker that has used a GPU ends with its task, so that the memory of the GPU is surely free again.
        run = _RUN_AND_END if task.resources.num_gpus else _RUN
        inputs = [*(self._stored(key) for key in task.reads), *picked]
        reference = run.options(**options).remote(attempt.name, self._progress.actor, task, *inputs)
        self._running[reference] = attempt

    def _stored(self, key: str) -> Any:
        """Return what tasks are given in place of a shared array: a file of this machine is read where it lies."""
        if key not in self._references:
            array = self.shared[key]
            self._references[key] = BlocksOfArray.put(array) if self._travels(array) else ray.put(array)
        return self._references[key]

    def _travels(self, array: NDArray[Any] | ArrayFile) -> bool:
        """Return whether the workers may be unable to read the file of an array."""
        return isinstance(array, ArrayFile) and self.grows

    def _release(self, reference: Any) -> Attempt:
        attempt = self._running.pop(reference)
        self._capacity.release(attempt)
        return attempt

    def wait(self, board: ProgressBoard) -> list[Outcome]:
        """Return the outcomes since the last call; a task whose worker died is tried again."""
        references = list(self._running)
        awaited = [*references, *self._progress.reference()]
        ray.wait(awaited, num_returns=1, timeout=_POLL_SECONDS) if awaited else time.sleep(_POLL_SECONDS)
        self._read_progress(board)
        done = ray.wait(references, num_returns=len(references), timeout=0)[0] if references else []
        outcomes = [self._outcome(reference, board) for reference in done]
        late = [ref for ref, attempt in self._running.items() if attempt.overdue or self.time_is_up]
        unsent, self._unsent = self._unsent, []
        return [each for each in outcomes if each is not None] + [self._end(ref) for ref in late] + unsent

    def _read_progress(self, board: ProgressBoard) -> None:
        running = {attempt.name: attempt for attempt in self._running.values()}
        for report in self._progress.collect():
            if attempt := running.get(report.attempt):
                attempt.report_start(report.node)
                board.advanced(attempt.task.title, report.fraction, report.text)

    def _outcome(self, reference: Any, board: ProgressBoard) -> Outcome | None:
        """Return what became of a task; None when it is tried again."""
        attempt = self._release(reference)
        try:
            return Outcome(attempt.task, *ray.get(reference))
        except RayError as error:  # the worker itself died, or its node, or its result was lost with the node
            again = self._next_attempt(attempt, error)
            if again is None:
                return Outcome(attempt.task, failure(error), attempt.worker, attempt.started, time.time())
            board.log(f"  {attempt.task.title}: {_reason(error)}; it is tried again")
            self._try(again)
            return None

    def _next_attempt(self, attempt: Attempt, error: RayError) -> Attempt | None:
        if isinstance(error, RayTaskError):  # an exception of ours, or of unpickling: it would be raised again
            return None
        self._listed = -math.inf
        self._list_nodes()
        lives = not isinstance(error, NodeDiedError) and (not attempt.node or attempt.node in self._capacity.nodes)
        return attempt.again(lives, isinstance(error, OutOfMemoryError))

    def _end(self, reference: Any) -> Outcome:
        """End a task that runs too long."""
        ray.cancel(reference, force=True)
        attempt = self._release(reference)
        value = cancelled() if self.time_is_up else attempt.task.timed_out()
        return Outcome(attempt.task, value, attempt.worker, attempt.started, time.time())

    def cancel(self, group: str) -> None:
        """End the submitted tasks of a group."""
        for reference in [ref for ref, attempt in self._running.items() if attempt.task.group == group]:
            ray.cancel(reference, force=True)
            self._release(reference)

    @property
    def busy(self) -> bool:
        """Whether the outcome of a submitted task is to come."""
        return bool(self._running or self._unsent)


def _amounts(resources: dict[str, float]) -> dict[str, float]:
    """Return Ray's resources of a node with memory in GiB, and without the marks that every node has."""
    found = {name: amount for name, amount in resources.items() if not name.startswith(("node:", "object_store_"))}
    return {**found, MEMORY: found.get(MEMORY, 0.0) / _GIB}


def _options(request: Amounts) -> dict[str, Any]:
    custom = {name: amount for name, amount in request.items() if name not in (CPU, GPU, MEMORY)}
    memory = {"memory": int(request[MEMORY] * _GIB)} if MEMORY in request else {}
    return {"num_cpus": request.get(CPU, 0), "num_gpus": request.get(GPU, 0), "resources": custom, **memory}


def _reason(error: RayError) -> str:
    kinds = {OutOfMemoryError: "its worker was killed for want of memory", NodeDiedError: "its node was lost"}
    return next((reason for kind, reason in kinds.items() if isinstance(error, kind)), "its worker died")


def _run(attempt: str, reports: Any, task: Task, *inputs: Any) -> tuple[Any, str, float, float]:
    """Run a task in a worker; returns an outcome without its task. An exception is a value, never to be unpickled."""
    node, started = ray.get_runtime_context().get_node_id(), time.time()
    folder = os.open(".", os.O_RDONLY)  # which may have been removed

    def report(fraction: float, text: str) -> None:
        reports.post.remote(TaskProgress(attempt, node, fraction, text))

    try:
        task.prepare()
        arrays = [each.read() if isinstance(each, BlocksOfArray) else each for each in inputs]
        report(0.0, "started")
        value = task.run(arrays, report)
    except BaseException as error:
        value = failure(error)
    finally:
        os.fchdir(folder)  # a member may have left it, and paths of the worker's next task are relative to it
        os.close(folder)
    return value, worker_name(node, os.getpid()), started, time.time()


# Ray shows all GPUs to a task that has requested none. Workers of this environment run no other tasks.
_NO_GPU = {"env_vars": {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": ""}}
_RUN: Any = ray.remote(_run)
_RUN_AND_END: Any = ray.remote(max_calls=1)(_run)
