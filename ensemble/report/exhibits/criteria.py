"""Criteria by which photographs are chosen for people to look at. Pure functions of out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array
from ensemble.core.metrics.decisions import correct_logits
from ensemble.core.metrics.scores import CLASSES, THRESHOLD, correct_probabilities, to_probabilities
from ensemble.report.exhibits.opinions import Opinions, certainty
from ensemble.report.facts.material import ROWS_AT_ONCE

AT_MOST = 12  # photographs of a kind
UNSURE_AT_MOST = 8


@dataclass(frozen=True)
class Chosen:
    """A row that is shown, and why."""

    row: int
    note: str


@dataclass(frozen=True)
class LabelDoubts:
    """Photographs whose label every member contradicts.

    Attributes
    ----------
    chosen : list of Chosen
        The most doubtful first.
    found : int
        How many meet the rule; more than are chosen, perhaps.
    all_wrong : int
        On how many all members are wrong, confident or not.
    by_chance : float
        On how many they would be, if they erred independently of one another.
    thresholds : tuple of float
        Probability of real, and of fake, from which the other label is doubted.
    """

    chosen: list[Chosen]
    found: int
    all_wrong: int
    by_chance: float
    thresholds: tuple[float, float]


def word(probability: float) -> str:
    """Return the class predicted at 0.5."""
    return CLASSES[int(probability >= THRESHOLD)]


def confident_errors(opinions: Opinions, count: int = AT_MOST) -> list[Chosen]:
    """Choose the most confident errors, of both directions if there are both."""
    wrong = ~np.isnan(opinions.lead) & ~correct_probabilities(opinions.lead, opinions.labels)
    rows = _surest_first(np.flatnonzero(wrong), opinions.lead)
    half = count // 2
    first = np.concatenate([rows[opinions.labels[rows] == label][:half] for label in (0, 1)])
    more = rows[~np.isin(rows, first)][: count - len(first)]
    return [
        Chosen(
            row, f"{CLASSES[opinions.labels[row]]}, predicted {word(opinions.lead[row])}; {_how_many(opinions, row)}"
        )
        for row in _surest_first(np.concatenate([first, more]), opinions.lead)
    ]


def _how_many(opinions: Opinions, row: int) -> str:
    voters = int(opinions.voters[row])
    wrong = voters - int(opinions.right[row])
    return f"{wrong} of {voters} members are wrong" if voters > 1 else "the only member is wrong"


def disagreements(opinions: Opinions, count: int = AT_MOST) -> list[Chosen]:
    """Choose where members decide differently, and their probabilities lie furthest apart on average.

    The mean absolute difference of pairs (Gini, 1912) is largest for an even split
    between confident members.
    """
    fakes = opinions.fakes
    split = np.flatnonzero((fakes > 0) & (fakes < opinions.voters))
    parts = np.split(split, range(ROWS_AT_ONCE, len(split), ROWS_AT_ONCE))
    apart = np.concatenate([mean_differences(opinions.probabilities(rows)) for rows in parts])
    order = np.argsort(-apart, kind="stable")[:count]
    return [
        Chosen(
            int(split[place]),
            f"{fakes[split[place]]} of {opinions.voters[split[place]]} members predict fake; "
            f"two of them lie {apart[place]:.2f} apart on average",
        )
        for place in order
    ]


def mean_differences(probabilities: Array) -> Array:
    """Return the mean absolute difference of two probabilities of a row (n,), over all pairs; 0 without a pair."""
    ordered = np.sort(probabilities, axis=1)  # NaN comes last
    n = (~np.isnan(ordered)).sum(axis=1)
    weights = 2 * np.arange(ordered.shape[1]) - n[:, None] + 1  # how often each is the greater, less the smaller, one
    differences: Array = np.nansum(weights * ordered, axis=1) / np.maximum(n * (n - 1) / 2, 1)
    return differences


def likely_label_errors(opinions: Opinions, count: int = AT_MOST) -> LabelDoubts | None:
    """Choose where all members contradict the label, and the blend is more confident of that than it usually is.

    The second half is the rule of confident learning (Northcutt, Jiang and Chuang, 2021): the threshold of a class is
    the mean probability of that class among photographs labelled so. None with fewer than two members.
    """
    known = ~np.isnan(opinions.lead) & (opinions.voters > 1)
    if not known.any():
        return None
    of_label = np.stack([1 - opinions.lead, opinions.lead], axis=1)
    thresholds = [float(of_label[known & (opinions.labels == label), label].mean()) for label in (0, 1)]
    other = 1 - opinions.labels
    sure = known & (of_label[np.arange(len(other)), other] >= np.maximum(np.array(thresholds)[other], THRESHOLD))
    all_wrong = known & (opinions.right == 0)
    rows = _surest_first(np.flatnonzero(sure & all_wrong), opinions.lead)
    chosen = [Chosen(int(row), _doubt(opinions, int(row))) for row in rows[:count]]
    by_chance = float(_all_wrong_by_chance(opinions)[known].sum())
    return LabelDoubts(chosen, len(rows), int(all_wrong.sum()), by_chance, (thresholds[0], thresholds[1]))


def _doubt(opinions: Opinions, row: int) -> str:
    known = opinions.probabilities(row)[~np.isnan(opinions.logits[row])]
    label = opinions.labels[row]
    least = known.max() if label == 1 else known.min()
    all_of_them = "both members" if len(known) == 2 else f"all {len(known)} members"
    return (
        f"labelled {CLASSES[label]}; {all_of_them} predict {CLASSES[1 - label]}, the least confident with {least:.2f}"
    )


def _all_wrong_by_chance(opinions: Opinions) -> Array:
    """Return the probability (n,) that all members are wrong, if their errors on each class are independent."""
    chance = np.ones(len(opinions.labels))
    for logits in opinions.logits.T:
        for label in (0, 1):
            rows = ~np.isnan(logits) & (opinions.labels == label)
            if rows.any():
                chance[rows] *= ((logits[rows] >= 0) != label).mean()
    return chance


def only_one_right(opinions: Opinions, count: int = AT_MOST) -> list[Chosen]:
    """Choose where one member of three or more is right alone: from each in turn its most confident."""
    alone = np.flatnonzero((opinions.right == 1) & (opinions.voters > 2))
    logits = opinions.logits[alone]
    right = correct_logits(logits, opinions.labels[alone, None]) & ~np.isnan(logits)
    queues = [
        _surest_first(alone[right[:, place]], to_probabilities(opinions.logits[:, place].astype(np.float64)))
        for place in range(len(opinions.who))
    ]
    return [Chosen(row, _alone(opinions, row, place)) for row, place in _in_turn(queues)[:count]]


def _in_turn(queues: Sequence[NDArray[np.intp]]) -> list[tuple[int, int]]:
    """Take the first of each queue, then the second of each, and so on: (item, number of its queue)."""
    longest = max((len(queue) for queue in queues), default=0)
    return [(int(q[turn]), place) for turn in range(longest) for place, q in enumerate(queues) if turn < len(q)]


def _alone(opinions: Opinions, row: int, place: int) -> str:
    others, label = int(opinions.voters[row]) - 1, opinions.labels[row]
    return f"only {opinions.who[place]} predicts {CLASSES[label]}; the {others} others predict {CLASSES[1 - label]}"


def least_sure(opinions: Opinions, count: int = UNSURE_AT_MOST) -> list[Chosen]:
    """Choose what is nearest to 0.5."""
    sure = certainty(opinions.lead)
    rows = np.argsort(np.where(np.isnan(sure), np.inf, sure), kind="stable")[:count]
    return [
        Chosen(int(row), f"{opinions.fakes[row]} of {opinions.voters[row]} members predict fake")
        for row in rows
        if not np.isnan(sure[row])
    ]


def _surest_first(rows: NDArray[np.intp], probabilities: Array) -> NDArray[np.intp]:
    return rows[np.argsort(-certainty(probabilities[rows]), kind="stable")]
