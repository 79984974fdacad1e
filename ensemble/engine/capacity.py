"""Free resources of a cluster, by the driver's own count: Ray gets no more tasks than fit, in the order of urgency."""

from __future__ import annotations

from collections.abc import Mapping

from ensemble.engine.resources import Amounts, fits, requested, subtract, total
from ensemble.engine.retries import Attempt
from ensemble.engine.task_queue import Placement

_AHEAD = 0.5  # of a cluster that may grow is submitted before it is free: Ray's autoscaler goes by what is pending
_PENDING = 4  # tasks that wait in Ray for a kind of node that is missing, so that the autoscaler starts one


class Capacity:
    """Nodes, and the resources of theirs that are promised to attempts.

    Parameters
    ----------
    grows : bool
        Whether nodes may join.
    """

    def __init__(self, grows: bool = False) -> None:
        self.grows = grows
        self.nodes: Mapping[str, Amounts] = {}
        self._promised: dict[str, tuple[Amounts, bool]] = {}  # attempt -> what it occupies, whether a node can hold it

    def update(self, nodes: Mapping[str, Amounts]) -> None:
        """Take note of the nodes that are alive."""
        if nodes != self.nodes:
            self.nodes = nodes
            self._promised = {name: (request, self.holds(request)) for name, (request, _) in self._promised.items()}

    def holds(self, request: Amounts) -> bool:
        """Return whether an empty node could hold a task that requests this."""
        return fits(request, self.nodes.values())

    def promise(self, attempt: Attempt) -> list[str]:
        """Count an attempt in, and return the nodes on which it must not run: those on which its worker died.

        Where no other node could hold it, there are none.
        """
        others = {key: node for key, node in self.nodes.items() if key not in attempt.avoid}
        elsewhere = fits(requested(attempt.task.resources), others.values())
        attempt.occupies = attempt.amounts_on((others if elsewhere else self.nodes).values())
        self._promised[attempt.name] = (attempt.occupies, self.holds(attempt.occupies))
        return sorted(attempt.avoid) if elsewhere else []

    def release(self, attempt: Attempt) -> None:
        """Count an attempt out."""
        del self._promised[attempt.name]

    def free(self) -> Amounts:
        """Return what is not promised, and a little more where the cluster may grow."""
        have = {name: amount * (1 + _AHEAD * self.grows) for name, amount in total(self.nodes.values()).items()}
        return subtract(have, total(request for request, fitting in self._promised.values() if fitting))

    def placement(self, request: Amounts) -> Placement:
        """Return where a task goes: onto a node, into Ray's queue for a node that may join, or nowhere yet."""
        if self.holds(request):
            return "here"
        pending = sum(not fitting for _, fitting in self._promised.values())
        return "pending" if self.grows and pending < _PENDING else "aside"
