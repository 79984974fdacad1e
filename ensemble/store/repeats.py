"""Repeated folds: further cuts of the same rows, each a store of its own within the store, and their mean.

A prediction of a row that a further cut makes is as honest as the first: the model that made it has not seen the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import correct_probabilities, log_loss, to_probabilities
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore

if TYPE_CHECKING:
    from ensemble.store.predictions import Predictions

REPEATS = "repeats"  # folder of the store

_ROWS = ["name", "label", "group"]
Value = TypeVar("Value")


def store_of_cut(store: OofStore, number: int) -> OofStore:
    """Return the store of a cut; number 0 is the store itself."""
    return OofStore(store.root / REPEATS / str(number), store.feature_cache) if number else store


def ledger_of_cut(ledger: FoldLedger, number: int) -> FoldLedger:
    """Return the folds of a cut of the same rows and groups."""
    return ledger.cut_again(ledger.seed + number) if number else ledger


def name_in_cut(member: str, number: int) -> str:
    """Return by which name the folds of a member in a cut are known."""
    return f"{member}/{REPEATS}-{number}" if number else member


def averaged(first: Predictions, others: Sequence[Predictions]) -> Predictions:
    """Return the means of logits over the cuts, of each member over those in which the same code has trained all folds.

    Raises
    ------
    UserError
        A cut is of other rows.
    """
    oof, test = first.oof_logits.copy(), first.test_logits.copy()
    hashes, records, spreads = dict(first.hashes), dict(first.records), dict[str, dict[int, tuple[float, float]]]()
    for column, name in enumerate(first.members):
        if name in first.partial:
            continue
        cuts = {0: (first, column)}
        for number, other in enumerate(others, 1):
            if not other.ledger.table[_ROWS].equals(first.ledger.table[_ROWS]):
                raise UserError(f"{REPEATS}/{number} of the store was trained on different photographs; train again")
            if name in other.members and name not in other.partial and _code(other, name) == _code(first, name):
                cuts[number] = (other, other.members.index(name))
                hashes |= _of_member(other.hashes, name, number)
                records |= _of_member(other.records, name, number)
        if len(cuts) > 1:
            oof[:, column] = np.mean([cut.oof_logits[:, at] for cut, at in cuts.values()], axis=0)
            test[:, column] = np.mean([cut.test_logits[:, at] for cut, at in cuts.values()], axis=0)
            spreads[name] = {number: _scores(cut, at) for number, (cut, at) in cuts.items()}
    return replace(first, oof_logits=oof, test_logits=test, hashes=hashes, records=records, spreads=spreads)


def _code(cut: Predictions, member: str) -> str:
    """Return the version of the code that has trained a member in a cut."""
    return next(record.provenance.code for name, record in cut.records.items() if name.startswith(f"{member}/"))


def _of_member(values: dict[str, Value], member: str, number: int) -> dict[str, Value]:
    """Return what is known of a member's folds in a cut, by names that say which cut it is."""
    start = f"{member}/"
    return {
        f"{name_in_cut(member, number)}/{name.removeprefix(start)}": value
        for name, value in values.items()
        if name.startswith(start)
    }


def _scores(cut: Predictions, column: int) -> tuple[float, float]:
    """Return accuracy and log loss of a member in one cut."""
    logits, labels = cut.oof_logits[:, column].astype(np.float64), cut.ledger.labels
    return float(correct_probabilities(to_probabilities(logits), labels).mean()), float(log_loss(logits, labels).mean())
