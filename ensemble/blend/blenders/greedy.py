"""Greedy forward selection of members, with replacement (Caruana et al., 2004): by decisions, by log loss, in bags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import LinearBlender
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.decisions import Margins, RightDecisions, softplus_mean

if TYPE_CHECKING:
    from typing import Self

Picks = list[int]


class GreedySelection(LinearBlender):
    """Forward selection on the number of right decisions, ties by log loss.

    Each round adds the member whose addition to the running sum decides most rows rightly. The first best prefix of
    the path gives the weights: counts over rounds, so they are coarse and sparse.

    Attributes
    ----------
    picks_ : list of int
        The whole path, one member a round.
    """

    title = "greedy"
    picks_: Picks

    def __init__(self, rounds: int = 25) -> None:
        self.rounds = rounds

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Walk the path and keep its best prefix."""
        right = RightDecisions(logits, labels)
        self.picks_, best = select(right, np.arange(logits.shape[1]), self.rounds)
        self.weights_ = shares(self.picks_[:best], logits.shape[1])
        return self


class GreedyLogLoss(LinearBlender):
    """Forward selection on the log loss, which every row moves a little: less to overfit than a count of decisions."""

    title = "greedy_log_loss"
    most_rows = 10_000  # each candidate costs two transcendental functions a row

    def __init__(self, rounds: int = 25) -> None:
        self.rounds = rounds

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Walk the path and keep its best prefix."""
        losing = logits.T * np.where(labels == 1, np.float32(-1), np.float32(1))  # above zero where a member is wrong
        total = np.zeros(len(labels), dtype=np.float32)
        picks, losses = [], []
        for size in range(1, self.rounds + 1):
            candidates = [softplus_mean((total + member) / np.float32(size)) for member in losing]
            picks.append(int(np.argmin(candidates)))
            losses.append(candidates[picks[-1]])
            total += losing[picks[-1]]
        self.weights_ = shares(picks[: int(np.argmin(losses)) + 1], logits.shape[1])
        return self


class BaggedGreedy(LinearBlender):
    """The mean of greedy selections that were each offered half of the members, drawn anew: no lucky member leads all.

    Attributes
    ----------
    inclusion_ : float64 (members,)
        In what share of the bags that were offered a member it was chosen.
    """

    title = "bagged_greedy"
    most_rows = 20_000
    inclusion_: Array

    def __init__(self, rounds: int = 25, bags: int = 20, seed: int = 0) -> None:
        self.rounds = rounds
        self.bags = bags
        self.seed = seed

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Select in every bag, average."""
        right, members = RightDecisions(logits, labels), logits.shape[1]
        offered = self._draw(members)
        found = np.array([self._select(right, bag, members) for bag in offered])
        self.weights_ = found.mean(axis=0)
        times = np.bincount(np.concatenate(offered), minlength=members)
        self.inclusion_ = (found > 0).sum(axis=0) / np.maximum(times, 1)
        return self

    def _draw(self, members: int) -> list[NDArray[np.intp]]:
        rng = np.random.default_rng(self.seed)
        return [np.sort(rng.permutation(members)[: (members + 1) // 2]) for _ in range(self.bags)]

    def _select(self, right: RightDecisions, bag: NDArray[np.intp], members: int) -> Array:
        picks, best = select(right, bag, self.rounds)
        return shares(picks[:best], members)


def select(right: RightDecisions, members: NDArray[np.intp], rounds: int) -> tuple[Picks, int]:
    """The path among some members, and the length of its best prefix."""
    total = right.start.copy()
    picks: Picks = []
    counts: list[int] = []
    for size in range(1, rounds + 1):
        found = right.counts(total, members)
        tied = members[found == found.max()]
        picks.append(int(tied[0] if len(tied) == 1 else _least_loss(right, total, tied, size)))
        counts.append(int(found.max()))
        total += right.margins[picks[-1]]
    return picks, _best_prefix(right, picks, counts)


def shares(picks: Picks, members: int) -> Array:
    """How often each member was picked, over all picks."""
    return np.bincount(picks, minlength=members) / len(picks)


def _least_loss(right: RightDecisions, total: Margins, tied: NDArray[np.intp], size: int) -> int:
    return int(tied[np.argmin([right.log_loss(total + right.margins[member], size) for member in tied])])


def _best_prefix(right: RightDecisions, picks: Picks, counts: list[int]) -> int:
    """Length of the prefix with most right decisions; of equals, that with the smallest log loss."""
    tied = np.flatnonzero(np.array(counts) == max(counts)) + 1
    if len(tied) == 1:
        return int(tied[0])
    total, losses = right.start.copy(), {}
    for size, pick in enumerate(picks, start=1):
        total += right.margins[pick]
        if size in tied:
            losses[size] = right.log_loss(total, size)
    return min(losses, key=losses.__getitem__)
