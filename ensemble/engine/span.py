"""How long several tasks take together on what there is."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from ensemble.engine.resources import Amounts, missing_resources, subtract, total

Job = tuple[float, Amounts]  # seconds, and what it occupies


def makespan(jobs: Sequence[Job], nodes: Sequence[Amounts]) -> float:
    """Seconds until all jobs are done, each begun as soon as it fits, the longest first; infinite if one never fits.

    What all nodes have is counted together, as the agenda counts it.
    """
    free, now = total(nodes), 0.0
    running: list[tuple[float, int, Amounts]] = []
    for number, (seconds, requested) in enumerate(sorted(jobs, key=lambda job: -job[0])):
        while missing_resources(requested, free):
            if not running:
                return math.inf
            now, _, ended = heapq.heappop(running)
            free = total([free, ended])
        free = subtract(free, requested)
        heapq.heappush(running, (now + seconds, number, requested))
    return max((end for end, _, _ in running), default=now)
