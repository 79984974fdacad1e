"""Greedy forward selection of members, with replacement (Caruana et al., 2004): by decisions, by log loss, in bags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import LinearBlender
from ensemble.core.arrays import Array, Folds, Labels, Logits
from ensemble.core.metrics.decisions import DecisionCounter, Margins, softplus_mean

if TYPE_CHECKING:
    from typing import Self

Picks = list[int]


class GreedySelection(LinearBlender):
    """Forward selection on the number of correct decisions, ties by log loss.

    Each round adds the member whose addition to the running sum makes most decisions correct. The best prefix of the
    path gives the weights: counts over rounds, so they are coarse and sparse.

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
        """Select members, then take the best prefix of the path."""
        counter = DecisionCounter(logits, labels)
        self.picks_, best = select(counter, np.arange(logits.shape[1]), self.rounds)
        self.weights_ = shares(self.picks_[:best], logits.shape[1])
        return self


class GreedyLogLoss(LinearBlender):
    """Forward selection on the log loss, to which every row contributes: it overfits less than a count of decisions."""

    title = "greedy_log_loss"
    most_rows = 10_000  # each candidate takes an exponential and a logarithm a row

    def __init__(self, rounds: int = 25) -> None:
        self.rounds = rounds

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Select members, then take the best prefix of the path."""
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
    """The mean of greedy selections, each among a random half of the members, so that no lucky member leads them all.

    Attributes
    ----------
    inclusion_ : float64 (members,)
        Share of the bags with a member in which it was selected.
    """

    title = "bagged_greedy"
    most_rows = 20_000
    inclusion_: Array

    def __init__(self, rounds: int = 25, bags: int = 20, seed: int = 0) -> None:
        self.rounds = rounds
        self.bags = bags
        self.seed = seed

    def fit(self, logits: Logits, labels: Labels, folds: Folds) -> Self:  # noqa: ARG002
        """Select in every bag, then average."""
        counter, members = DecisionCounter(logits, labels), logits.shape[1]
        bags = self._draw(members)
        weights = np.array([self._select(counter, bag, members) for bag in bags])
        self.weights_ = weights.mean(axis=0)
        drawn = np.bincount(np.concatenate(bags), minlength=members)
        self.inclusion_ = (weights > 0).sum(axis=0) / np.maximum(drawn, 1)
        return self

    def _draw(self, members: int) -> list[NDArray[np.intp]]:
        rng = np.random.default_rng(self.seed)
        return [np.sort(rng.permutation(members)[: (members + 1) // 2]) for _ in range(self.bags)]

    def _select(self, counter: DecisionCounter, bag: NDArray[np.intp], members: int) -> Array:
        picks, best = select(counter, bag, self.rounds)
        return shares(picks[:best], members)


def select(counter: DecisionCounter, members: NDArray[np.intp], rounds: int) -> tuple[Picks, int]:
    """Return the path among some members, and the length of its best prefix."""
    total = counter.start.copy()
    picks: Picks = []
    counts: list[int] = []
    for size in range(1, rounds + 1):
        correct = counter.counts(total, members)
        tied = members[correct == correct.max()]
        picks.append(int(tied[0] if len(tied) == 1 else _least_loss(counter, total, tied, size)))
        counts.append(int(correct.max()))
        total += counter.margins[picks[-1]]
    return picks, _best_prefix(counter, picks, counts)


def shares(picks: Picks, members: int) -> Array:
    """Return the share of the picks that went to each member."""
    return np.bincount(picks, minlength=members) / len(picks)


def _least_loss(counter: DecisionCounter, total: Margins, tied: NDArray[np.intp], size: int) -> int:
    return int(tied[np.argmin([counter.log_loss(total + counter.margins[member], size) for member in tied])])


def _best_prefix(counter: DecisionCounter, picks: Picks, counts: list[int]) -> int:
    """Return the length of the prefix with most correct decisions; ties go to the smallest log loss."""
    tied = np.flatnonzero(np.array(counts) == max(counts)) + 1
    if len(tied) == 1:
        return int(tied[0])
    total, losses = counter.start.copy(), {}
    for size, pick in enumerate(picks, start=1):
        total += counter.margins[pick]
        if size in tied:
            losses[size] = counter.log_loss(total, size)
    return min(losses, key=losses.__getitem__)
