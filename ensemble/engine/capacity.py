"""What a cluster has room for, by the driver's own count: Ray is handed no more than that, in the order of urgency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ensemble.engine.resources import Amounts, missing_resources, subtract, total
from ensemble.engine.retries import Attempt

_AHEAD = 0.5  # of a cluster that may grow is submitted before it is free: Ray's autoscaler goes by what is pending
_PENDING = 4  # tasks that wait in Ray for a kind of machine that is not there, so that it is asked for

Placement = Literal["here", "pending", "aside"]


class Capacity:
    """Nodes, and what has been promised of them.

    Parameters
    ----------
    grows : bool
        Whether machines may join.
    """

    def __init__(self, grows: bool = False) -> None:
        self.grows = grows
        self.nodes: Mapping[str, Amounts] = {}
        self._promised: dict[str, tuple[Amounts, bool]] = {}  # attempt -> what it occupies, whether a node can hold it

    def update(self, nodes: Mapping[str, Amounts]) -> None:
        """Look at the nodes that live now."""
        if nodes != self.nodes:
            self.nodes = nodes
            self._promised = {name: (want, self.holds(want)) for name, (want, _) in self._promised.items()}

    def holds(self, want: Amounts) -> bool:
        """Whether a task with these wants fits on an empty node."""
        return any(not missing_resources(want, node) for node in self.nodes.values())

    def promise(self, attempt: Attempt) -> list[str]:
        """Count an attempt in; gives the nodes on which it must not run: those on which its worker died.

        Where no other could hold it, it goes back to them.
        """
        others = {key: node for key, node in self.nodes.items() if key not in attempt.avoid}
        fits = any(not missing_resources(attempt.requested([]), node) for node in others.values())
        attempt.occupies = attempt.requested((others if fits else self.nodes).values())
        self._promised[attempt.name] = (attempt.occupies, self.holds(attempt.occupies))
        return sorted(attempt.avoid) if fits else []

    def release(self, attempt: Attempt) -> None:
        """Count an attempt out."""
        del self._promised[attempt.name]

    def free(self) -> Amounts:
        """What is not promised, and a little more where the cluster may grow."""
        have = {name: amount * (1 + _AHEAD * self.grows) for name, amount in total(self.nodes.values()).items()}
        return subtract(have, total(want for want, held in self._promised.values() if held))

    def placement(self, want: Amounts) -> Placement:
        """Where a task goes: onto a node, into Ray's queue for one that may come, or nowhere yet."""
        if self.holds(want):
            return "here"
        pending = sum(not held for _, held in self._promised.values())
        return "pending" if self.grows and pending < _PENDING else "aside"
