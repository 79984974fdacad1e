"""Resources that tasks request and nodes have: CPUs, GPUs, GiB of memory, and whatever a cluster's owner has named."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence

from ensemble.config.members import Resources

CPU, GPU, MEMORY = "CPU", "GPU", "memory"  # as Ray calls them; memory is in GiB here
Amounts = Mapping[str, float]
Job = tuple[float, Amounts]  # seconds, and what it occupies
_ROUNDING = 1e-6  # ten tenths of a GPU are one


def requested(resources: Resources) -> dict[str, float]:
    """Return what a task occupies, without zeros."""
    amounts = {CPU: resources.num_cpus, GPU: resources.num_gpus, MEMORY: resources.memory_gib or 0, **resources.custom}
    return {name: float(amount) for name, amount in amounts.items() if amount}


def missing_resources(request: Amounts, have: Amounts) -> list[str]:
    """Return the names of resources of which there is not enough."""
    return [name for name, amount in request.items() if amount > have.get(name, 0.0) + _ROUNDING]


def fits(request: Amounts, nodes: Iterable[Amounts]) -> bool:
    """Return whether an empty node could hold a task that requests this."""
    return any(not missing_resources(request, node) for node in nodes)


def total(several: Iterable[Amounts]) -> dict[str, float]:
    """Return the sum of several amounts."""
    found: dict[str, float] = {}
    for each in several:
        for name, amount in each.items():
            found[name] = found.get(name, 0.0) + amount
    return found


def subtract(have: Amounts, in_use: Amounts) -> dict[str, float]:
    """Return what is left."""
    return {name: amount - in_use.get(name, 0.0) for name, amount in have.items()}


def format_resources(amounts: Amounts) -> str:
    """Return amounts for messages, such as `2 CPUs, 0 GPUs, 4 GiB`; unknown memory is left out."""
    words = [_counted(amounts.get(name, 0.0), name) for name in (CPU, GPU)]
    if 0 < amounts.get(MEMORY, 0) < math.inf:
        words.append(f"{amounts[MEMORY]:.4g} GiB")
    words += [f"{amount:g} {name}" for name, amount in amounts.items() if name not in (CPU, GPU, MEMORY)]
    return ", ".join(words)


def _counted(amount: float, name: str) -> str:
    return f"{amount:g} {name}{'' if amount == 1 else 's'}"


def makespan(jobs: Sequence[Job], nodes: Sequence[Amounts]) -> float:
    """Return the seconds until all jobs are done, each started as soon as it fits, the longest first.

    Infinite where one never fits. The resources of all nodes are counted together, as the task queue counts them.
    """
    free, now = total(nodes), 0.0
    running: list[tuple[float, int, Amounts]] = []
    for number, (seconds, request) in enumerate(sorted(jobs, key=lambda job: -job[0])):
        while missing_resources(request, free):
            if not running:
                return math.inf
            now, _, released = heapq.heappop(running)
            free = total([free, released])
        free = subtract(free, request)
        heapq.heappush(running, (now + seconds, number, request))
    return max((end for end, _, _ in running), default=now)
