"""What tasks want and machines have: CPUs, GPUs, GiB of memory, and whatever the owner of a cluster has named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ensemble.config import Resources

CPU, GPU, MEMORY = "CPU", "GPU", "memory"  # as Ray calls them; memory is in GiB here
Amounts = Mapping[str, float]
_ROUNDING = 1e-6  # ten tenths of a GPU are one


def requested(resources: Resources) -> dict[str, float]:
    """What a task occupies, without zeros."""
    asked = {CPU: resources.num_cpus, GPU: resources.num_gpus, MEMORY: resources.memory_gib or 0, **resources.custom}
    return {name: float(amount) for name, amount in asked.items() if amount}


def missing_resources(want: Amounts, have: Amounts) -> list[str]:
    """Names of which there is not enough."""
    return [name for name, amount in want.items() if amount > have.get(name, 0.0) + _ROUNDING]


def total(several: Iterable[Amounts]) -> dict[str, float]:
    """All of them together."""
    found: dict[str, float] = {}
    for each in several:
        for name, amount in each.items():
            found[name] = found.get(name, 0.0) + amount
    return found


def subtract(have: Amounts, in_use: Amounts) -> dict[str, float]:
    """What is left."""
    return {name: amount - in_use.get(name, 0.0) for name, amount in have.items()}


def format_resources(amounts: Amounts) -> str:
    """As it is told to people: `2 CPUs, 0 GPUs, 4 GiB`; memory that nobody counts is not told."""
    words = [f"{amounts.get(CPU, 0):g} CPUs", f"{amounts.get(GPU, 0):g} GPUs"]
    if 0 < amounts.get(MEMORY, 0) < math.inf:
        words.append(f"{amounts[MEMORY]:.4g} GiB")
    words += [f"{amount:g} {name}" for name, amount in amounts.items() if name not in (CPU, GPU, MEMORY)]
    return ", ".join(words)
