"""The store's predictions as matrices, one column a member, verified row by row against the fold ledger."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Array, Logits
from ensemble.core.console.text import first_few
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import to_logits, to_probabilities
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore
from ensemble.store.record import PREDICTIONS, FoldRecord
from ensemble.store.repeats import averaged, name_in_cut, store_of_cut

Spread = dict[int, tuple[float, float]]  # by the number of the cut
BY_REQUEST = "by request"  # why a member is left out


@dataclass(frozen=True)
class Predictions:
    """Predictions of all members, made on the same folds.

    Attributes
    ----------
    members : list of str
        The columns.
    oof_logits : float32 (training rows, members)
        Out-of-fold, in the order of the ledger; NaN where a fold is missing.
    test_logits : float32 (test rows, members)
        In the order of the sample: the mean over the fold models that are available.
    ledger : FoldLedger
        Labels and folds of the training rows.
    left_out : dict
        Members with no fold that can be used, and why.
    partial : dict
        Members of which some folds are missing, and why.
    hashes : dict
        `member/fold-k` to the sha256 of its predictions.
    records : dict
        `member/fold-k` to its record.
    spreads : dict
        Accuracy and log loss of each member in each cut of the folds, if its logits are means over several.
    """

    members: list[str]
    oof_logits: Logits
    test_logits: Logits
    ledger: FoldLedger
    left_out: dict[str, str]
    partial: dict[str, str]
    hashes: dict[str, str]
    records: dict[str, FoldRecord]
    spreads: dict[str, Spread] = field(default_factory=dict)

    def probabilities(self, column: int) -> Array:
        """Return out-of-fold probabilities (training rows,) of one member; NaN where a fold is missing."""
        return to_probabilities(self.oof_logits[:, column].astype(np.float64))

    def without(self, names: Sequence[str]) -> Predictions:
        """Leave members out.

        Raises
        ------
        UserError
            There is no such member, or none would remain.
        """
        unknown = [name for name in names if name not in self.members]
        if unknown:
            raise UserError(f"there is no member {unknown[0]} to leave out; members: {', '.join(self.members)}")
        kept = [column for column, name in enumerate(self.members) if name not in names]
        if not kept:
            raise UserError("no member would remain to blend; leave out fewer")
        if len(kept) == len(self.members):
            return self
        members = [self.members[column] for column in kept]
        return replace(
            self,
            members=members,
            oof_logits=self.oof_logits.T[kept].T,
            test_logits=self.test_logits.T[kept].T,
            left_out=self.left_out | dict.fromkeys(names, BY_REQUEST),
            partial={name: folds for name, folds in self.partial.items() if name in members},
            hashes={fold: sha256 for fold, sha256 in self.hashes.items() if fold.partition("/")[0] in members},
            records={fold: record for fold, record in self.records.items() if fold.partition("/")[0] in members},
            spreads={name: spread for name, spread in self.spreads.items() if name in members},
        )

    def records_of(self, member: str, cut: int = 0) -> list[FoldRecord]:
        """Return the records of a member's available folds, in their order."""
        names = (f"{name_in_cut(member, cut)}/fold-{fold}" for fold in range(self.ledger.n_folds))
        return [self.records[name] for name in names if name in self.records]

    def every_record_of(self, member: str) -> list[FoldRecord]:
        """Return the records of a member's available folds in all cuts over which its logits are means."""
        return [record for cut in self.cuts_of(member) for record in self.records_of(member, cut)]

    def cuts_of(self, member: str) -> list[int]:
        """Return the numbers of the cuts of the folds over which a member's logits are means; 0 is the first."""
        return list(self.spreads.get(member, (0,)))


def load_predictions(store: OofStore, experiment: Experiment | None = None) -> Predictions:
    """Read every member of an experiment (default: the one that the store was last trained for), and those imported.

    Where the experiment repeats its folds, logits are the means over the cuts that are there.

    Raises
    ------
    UserError
        No member has a fold, or a fold was made on other folds or data than the store's (its rows are named).
    """
    experiment, sample = experiment or store.experiment(), store.sample().names
    first, others = _load_cut(store, experiment, sample), list[Predictions]()
    for number in range(1, experiment.folds.repeats):
        cut = store_of_cut(store, number)
        with suppress(_NothingTrained):
            if cut.exists():
                others.append(_load_cut(cut, experiment, sample))
    return averaged(first, others) if others else first


class _NothingTrained(UserError):
    """Error where no member has a finished fold."""


def _load_cut(store: OofStore, experiment: Experiment, sample: list[str]) -> Predictions:
    reader = _Reader(store, sample)
    members: dict[str, dict[str, Any] | None] = {member.name: member.recipe for member in experiment.members}
    members |= {name: None for name in store.imported() if name not in members}  # any recipe
    oof, test = reader.matrices(len(members))
    found: list[str] = []
    left_out: dict[str, str] = {}
    partial: dict[str, str] = {}
    records: dict[str, FoldRecord] = {}
    for name, recipe in members.items():
        folds, reasons = reader.folds(name, recipe)
        missing = f"{len(folds)} of {reader.ledger.n_folds} folds ({'; '.join(dict.fromkeys(reasons))})"
        if len({fold.record.provenance.code for fold in folds.values()}) > 1:
            left_out[name] = "folds made by different versions of its code; train again"
        elif not folds:
            left_out[name] = missing
        else:
            reader.fill(oof[len(found)], test[len(found)], folds)
            records |= {f"{name}/fold-{k}": fold.record for k, fold in folds.items()}
            found.append(name)
            if reasons:
                partial[name] = missing
    if not found:
        raise _NothingTrained(f"{store.root}: no member has a finished fold ({_sentence(left_out)}); train first")
    hashes = {fold: record.predictions_sha256 for fold, record in records.items()}
    oof, test = oof[: len(found)], test[: len(found)]
    pa.default_memory_pool().release_unused()  # of reading the files: a tenth of a large store's memory
    return Predictions(found, oof.T, test.T, reader.ledger, left_out, partial, hashes, records)


@dataclass(frozen=True)
class _Fold:
    heldout: Array
    test: Array
    record: FoldRecord


class _Reader:
    """Reader of the folds of one store, each checked against the same rows, and put into the order of the sample."""

    def __init__(self, store: OofStore, sample: list[str]) -> None:
        self.store, self.sample = store, sample
        self.ledger = store.ledger()
        self.data: str = store.facts()["sha256"]
        self._rows = [self.ledger.heldout(fold) for fold in range(self.ledger.n_folds)]
        names, sample = (_strings(column) for column in (self.ledger.table["name"], self.sample))
        self._names = [pa.concat_arrays([names.take(rows), sample]) for rows in self._rows]

    def matrices(self, members: int) -> tuple[Logits, Logits]:
        """Allocate the logits of all members: (members, training rows) of NaN, and (members, test rows)."""
        oof = np.full((members, len(self.ledger.table)), np.nan, dtype=np.float32)
        return oof, np.zeros((members, len(self.sample)), dtype=np.float32)

    def folds(self, member: str, recipe: dict[str, Any] | None) -> tuple[dict[int, _Fold], list[str]]:
        """Read the folds of a member that may be blended; for each of the others, return why it may not."""
        read = {fold: self._verified(member, recipe, fold) for fold in range(self.ledger.n_folds)}
        valid = {number: fold for number, fold in read.items() if not isinstance(fold, str)}
        return valid, [reason for reason in read.values() if isinstance(reason, str)]

    def fill(self, oof: Logits, test: Logits, folds: dict[int, _Fold]) -> None:
        """Write a member's logits into its rows of the matrices."""
        for number, fold in folds.items():
            oof[self._rows[number]] = to_logits(fold.heldout)
        test[:] = np.mean([to_logits(fold.test) for fold in folds.values()], axis=0)

    def _verified(self, member: str, recipe: dict[str, Any] | None, fold: int) -> _Fold | str:
        """Read and check a fold, or return why it cannot be used; one of other folds or data is an error."""
        record = self.store.record(member, fold)
        if record is None:
            return "not trained"
        table = self.store.predictions(record)
        if table is None:
            return f"fold-{fold} is damaged, train again"
        rows, where = self._rows[fold], f"{self.store.fold_folder(member, fold)}"
        if _strings(table["name"]).equals(self._names[fold]):
            labels, pred = table["label"].to_numpy(), table["pred"].to_numpy()
        else:
            labels, pred = self._in_order(table.to_pandas(), fold, where)
        self._same_labels(labels[: len(rows)], rows, where)
        if pred.dtype.kind != "f" or not ((pred >= 0) & (pred <= 1)).all():  # NaN fails both
            raise UserError(f"{where}/{PREDICTIONS} contains values that are not probabilities; train again")
        if record.provenance.folds != self.ledger.sha256 or record.provenance.data != self.data:
            raise UserError(
                f"{where} was trained on different folds or data (the hash differs, though the rows agree); train again"
            )
        if recipe is not None and record.provenance.recipe != recipe:
            return "made with a different config"
        return _Fold(pred[: len(rows)], pred[len(rows) :], record)

    def _in_order(self, table: pd.DataFrame, fold: int, where: str) -> tuple[NDArray[np.int64], Array]:
        """Return labels and predictions in the order of the ledger and of the sample, which may have changed."""
        expected = self.ledger.table["name"].iloc[self._rows[fold]]
        heldout, test = (table[table["split"] == split] for split in ("oof", "test"))
        _same_rows(where, expected, heldout["name"], "out-of-fold rows")
        _same_rows(where, pd.Series(sorted(self.sample)), test["name"].sort_values(), "test rows")
        ordered = pd.concat([heldout, test.set_index("name").loc[self.sample]])
        return ordered["label"].to_numpy(np.int64), ordered["pred"].to_numpy(np.float64)

    def _same_labels(self, labels: NDArray[np.int64], rows: NDArray[np.intp], where: str) -> None:
        relabelled = rows[labels != self.ledger.labels[rows]]
        if len(relabelled):
            names = list(self.ledger.table["name"].iloc[relabelled])
            raise UserError(f"{where} was made with different labels for {first_few(names)}; train again")


def _strings(column: pa.ChunkedArray | pd.Series[str] | list[str]) -> pa.LargeStringArray:
    """Return a column of names as one array, of one type whatever it was stored as."""
    chunks = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([pa.array(column, pa.large_string())])
    return chunks.combine_chunks().cast(pa.large_string())


def _same_rows(where: str, expected: pd.Series[str], found: pd.Series[str], what: str) -> None:
    if list(expected) == list(found):
        return
    differing = sorted(set(expected) ^ set(found)) or ["their order"]
    raise UserError(f"{where} was made on different {what}: {first_few(differing)}; train again")


def _sentence(left_out: dict[str, str]) -> str:
    return "; ".join(f"{name} has {reason}" for name, reason in left_out.items())


def measured_on(predictions: Predictions, member: str) -> str:
    """Return OOF, with the number of folds if some are missing."""
    if member not in predictions.partial:
        return "OOF"
    return f"OOF, {len(predictions.records_of(member))} of {predictions.ledger.n_folds} folds"


def member_cost(member: str, predictions: Predictions) -> dict[str, float]:
    """Return the seconds and the speed of a member; NaN for one that was trained elsewhere.

    `seconds`: the features of all photographs, then fit and predict of all folds in all cuts, as if no other member
    shared the features. `photographs_per_second`: one fold's model on new photographs, features included.
    """
    ledger, test_rows = predictions.ledger, len(predictions.test_logits)
    records = predictions.every_record_of(member)
    if any(record.trained_elsewhere for record in records):
        return {"seconds": np.nan, "photographs_per_second": np.nan}
    features = float(np.mean([record.seconds_features_per_photograph for record in records]))
    predict = [record.seconds_predict / (len(ledger.heldout(record.fold)) + test_rows) for record in records]
    seconds = features * (len(ledger.labels) + test_rows) + sum(record.seconds for record in records)
    return {"seconds": seconds, "photographs_per_second": 1 / (features + float(np.mean(predict)))}
