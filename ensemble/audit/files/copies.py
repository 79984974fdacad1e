"""Copies: the same picture twice within the training photographs, or in train and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Pixels
from ensemble.core.console.text import plural
from ensemble.folds.ledger import FoldLedger
from ensemble.folds.near_duplicates import components, near_duplicate_pairs, perceptual_hashes
from ensemble.store.checks import Check, Evidence, Verdict

WITHIN, ACROSS = "duplicates", "duplicates_across"
WITHIN_TITLE = "Does train hold a photograph twice, perhaps with two labels?"
ACROSS_TITLE = "Are test photographs among the training ones?"
_SHOWN = 20  # pairs in a table
_MANY = 0.01  # share of test rows
LARGEST = 10  # look-alikes that are grouped together
_LABELS_REMEDY = (
    "One picture cannot be both. Correct the labels or leave these rows out, unless each fake was made from that very "
    "photograph."
)
_FOLDS_REMEDY = "Members have seen copies of rows that they are scored on: let this program cut new folds."
_ACROSS_REMEDY = (
    "A model that memorises these gets a better public score than it deserves, and an out-of-fold score does not show "
    "it. Ask the organisers, or leave the copies out of train."
)


@dataclass(frozen=True)
class Pair:
    """Two rows that show the same picture, or similar ones.

    Attributes
    ----------
    first, second : int
        Rows of all photographs; first < second.
    how : str
        same file, same pixels, mirrored, nearly the same; or alike: similar, beyond the distance of one picture.
    bits : int
        In which their perceptual hashes differ, of 256.
    """

    first: int
    second: int
    how: str
    bits: int


def find_pairs(contents: Sequence[str], pixels: Pixels, distance: int, farthest: int | None = None) -> list[Pair]:
    """Find all pairs among photographs, in the order of first and second row.

    Parameters
    ----------
    contents : sequence of str
        A hash of each file.
    pixels : uint8 (photographs, height, width, 3)
    distance : int
        Most bits in which two hashes of the same picture differ.
    farthest : int, optional
        Pairs up to so many bits are returned too: `how` is `alike`.
    """
    hashes = perceptual_hashes(pixels)
    pairs = []
    for first, second in near_duplicate_pairs(hashes, max(distance, farthest or 0)).tolist():
        upright, mirrored = (int((hashes[first, 0] != hashes[second, side]).sum()) for side in (0, 1))
        bits, how = min(upright, mirrored), "alike"
        if bits <= distance:
            how = _how(contents[first] == contents[second], pixels[first], pixels[second], mirrored < upright)
        pairs.append(Pair(first, second, how, bits))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def look_alikes(pairs: Sequence[Pair], rows: int) -> NDArray[np.intp]:
    """Return a group number for each of the first `rows` rows; pairs share one, the nearest first: intp (rows,).

    No group has more than LARGEST rows: distant pairs would chain all faces of one pose together.
    """
    members = {row: [row] for row in range(rows)}
    number = np.arange(rows)
    for pair in sorted(pairs, key=lambda pair: pair.bits):
        if pair.second >= rows or number[pair.first] == number[pair.second]:
            continue
        one, other = int(number[pair.first]), int(number[pair.second])
        if len(members[one]) + len(members[other]) <= LARGEST:
            number[members[other]] = one
            members[one] += members.pop(other)
    return number


def copies(pairs: Sequence[Pair], groups: Sequence[str], rows: int) -> NDArray[np.intp]:
    """Return a group number for each row; copies, and rows of one group of the ledger, share one: intp (rows,)."""
    first: dict[str, int] = {}
    joined = [(first.setdefault(group, row), row) for row, group in enumerate(groups)]
    joined += [(pair.first, pair.second) for pair in pairs]
    return components(rows, np.array(joined, dtype=np.intp).reshape(-1, 2))


def within_train(pairs: Sequence[Pair], ledger: FoldLedger) -> Check:
    """Judge the pairs of training rows: two labels are an alarm, and so is a pair that is split over folds."""
    rows = len(ledger.table)
    found = [pair for pair in pairs if pair.second < rows]
    labels, folds, names = ledger.labels, ledger.folds, list(ledger.table["name"])
    contradicting = [pair for pair in found if labels[pair.first] != labels[pair.second]]
    leaking = [pair for pair in found if folds[pair.first] != folds[pair.second]]
    photographs = len({row for pair in found for row in (pair.first, pair.second)})
    shown = list(dict.fromkeys([*contradicting, *leaking, *found]))
    table = Evidence(
        "Pairs within train",
        ("photograph", "label", "fold", "its copy", "label of the copy", "fold of the copy", "how", "bits of 256"),
        tuple(
            (names[a], int(labels[a]), int(folds[a]), names[b], int(labels[b]), int(folds[b]), pair.how, pair.bits)
            for pair in shown[:_SHOWN]
            for a, b in [(pair.first, pair.second)]
        ),
    )
    tables, pairs_found = (table,) if found else (), plural(len(found), "pair") + " of copies"
    if contradicting:
        sentence = f"{len(contradicting)} of {pairs_found} have opposite labels ({rows} photographs compared)."
        return Check(WITHIN, WITHIN_TITLE, "alarm", sentence, _LABELS_REMEDY, tables)
    if leaking:
        sentence = f"{len(leaking)} of {pairs_found} are split over folds ({rows} photographs compared)."
        return Check(WITHIN, WITHIN_TITLE, "alarm", sentence, _FOLDS_REMEDY, tables)
    sentence = f"No two of {rows} training photographs show the same picture, mirrored or not."
    if found:
        sentence = (
            f"{photographs} of {rows} training photographs have a copy of the same label ({_kinds(found)}); each "
            "is in one fold with its copies, so no score is affected."
        )
    return Check(WITHIN, WITHIN_TITLE, "fine", sentence, "", tables)


def across(pairs: Sequence[Pair], ledger: FoldLedger, test_names: Sequence[str]) -> Check:
    """Judge the pairs of a training row and a test row: a few are worth a look, many are an alarm."""
    rows = len(ledger.table)
    found = [pair for pair in pairs if pair.first < rows <= pair.second]
    copied = len({pair.second for pair in found})
    if not found:
        sentence = (
            f"None of {plural(len(test_names), 'test photograph')} is among {rows} training ones, mirrored or not."
        )
        return Check(ACROSS, ACROSS_TITLE, "fine", sentence)
    names, labels = list(ledger.table["name"]), ledger.labels
    table = Evidence(
        "Test photographs that are in train",
        ("test photograph", "training photograph", "its label", "how", "bits of 256"),
        tuple(
            (test_names[pair.second - rows], names[pair.first], int(labels[pair.first]), pair.how, pair.bits)
            for pair in found[:_SHOWN]
        ),
    )
    share = copied / len(test_names)
    verdict: Verdict = "alarm" if share > _MANY and copied > 1 else "look"
    sentence = f"{copied} of {len(test_names)} test photographs ({share:.1%}) are also in train: {_kinds(found)}."
    return Check(ACROSS, ACROSS_TITLE, verdict, sentence, _ACROSS_REMEDY, (table,))


def _how(same_file: bool, one: NDArray[np.uint8], other: NDArray[np.uint8], is_mirrored: bool) -> str:
    if same_file:
        return "same file"
    if np.array_equal(one, other):
        return "same pixels"
    return "mirrored" if is_mirrored else "nearly the same"


def _kinds(pairs: Sequence[Pair]) -> str:
    kinds = ("same file", "same pixels", "nearly the same", "mirrored")
    counts = {kind: sum(pair.how == kind for pair in pairs) for kind in kinds}
    return ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
