"""The store's predictions as matrices, one column a member, verified row by row against the fold ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.config import Experiment, MemberSettings
from ensemble.errors import UserError
from ensemble.folds import FoldLedger
from ensemble.metrics import to_logits, to_probabilities
from ensemble.oof import FoldRecord, OofStore

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """What the members predicted, on the same folds.

    Attributes
    ----------
    members : list of str
        The columns.
    oof_logits : float64 (training rows, members)
        Out-of-fold, in the order of the ledger.
    test_logits : float64 (test rows, members)
        In the order of the sample: the mean over the fold models.
    ledger : FoldLedger
        Labels and folds of the training rows.
    left_out : dict
        Members that are not complete, and why.
    hashes : dict
        `member/fold-k` to the sha256 of its predictions.
    """

    members: list[str]
    oof_logits: Array
    test_logits: Array
    ledger: FoldLedger
    left_out: dict[str, str]
    hashes: dict[str, str]

    @property
    def probabilities(self) -> Array:
        """Out-of-fold probabilities (training rows, members)."""
        return to_probabilities(self.oof_logits)


def load_predictions(store: OofStore, experiment: Experiment | None = None) -> Predictions:
    """Read every complete member of an experiment (default: the one that the store was last trained for).

    Raises
    ------
    UserError
        No member is complete, or a fold was made on other folds or data than the store's: the rows are named.
    """
    ledger, sample_names = store.ledger(), store.sample().names
    oof: dict[str, Array] = {}
    test: dict[str, Array] = {}
    left_out: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for member in (experiment or store.experiment()).members:
        folds = [_verified_fold(store, member, fold, ledger, sample_names) for fold in range(ledger.n_folds)]
        reasons = [fold for fold in folds if isinstance(fold, str)]
        if reasons:
            missing = "; ".join(dict.fromkeys(reasons))
            left_out[member.name] = f"{ledger.n_folds - len(reasons)} of {ledger.n_folds} folds ({missing})"
            continue
        complete = [fold for fold in folds if not isinstance(fold, str)]
        if len({fold.record.provenance.code for fold in complete}) > 1:
            left_out[member.name] = "folds made by different versions of its code; train again"
            continue
        oof[member.name] = _out_of_fold(complete, ledger)
        test[member.name] = np.mean([to_logits(fold.test) for fold in complete], axis=0)
        hashes |= {f"{member.name}/fold-{k}": fold.record.predictions_sha256 for k, fold in enumerate(complete)}
    if not oof:
        raise UserError(f"{store.root}: no member is complete ({_sentence(left_out)}); train first")
    return Predictions(
        list(oof),
        np.column_stack(list(oof.values())),
        np.column_stack(list(test.values())),
        ledger,
        left_out,
        hashes,
    )


@dataclass(frozen=True)
class _Fold:
    heldout: Array
    test: Array
    rows: NDArray[np.intp]
    record: FoldRecord


def _verified_fold(
    store: OofStore, member: MemberSettings, fold: int, ledger: FoldLedger, sample_names: list[str]
) -> _Fold | str:
    """A fold that may be blended, or why it is not there; a fold of other folds or data is an error."""
    record, table = store.record(member.name, fold), store.predictions(member.name, fold)
    if record is None:
        return "not trained"
    if table is None:
        return f"fold-{fold} is damaged, train again"
    rows = ledger.heldout(fold)
    expected = ledger.table.iloc[rows]
    heldout, test = (table[table["split"] == split] for split in ("oof", "test"))
    where = f"{store.fold_folder(member.name, fold)}"
    _same_rows(where, expected["name"], heldout["name"], "out-of-fold rows")
    _same_rows(where, pd.Series(sorted(sample_names)), test["name"].sort_values(), "test rows")
    test = test.set_index("name").loc[sample_names]  # a sample may come again in another order
    relabelled = [
        str(name)
        for name, ours, theirs in zip(expected["name"], expected["label"], heldout["label"], strict=True)
        if ours != theirs
    ]
    if relabelled:
        raise UserError(f"{where} was made with other labels for {_some(relabelled)}; train again")
    if record.provenance.folds != ledger.sha256 or record.provenance.data != store.facts()["sha256"]:
        raise UserError(
            f"{where} was made on other folds or data (its hash differs, though its rows agree); train again"
        )
    if record.provenance.recipe != member.recipe:
        return "made with another config"
    return _Fold(heldout["pred"].to_numpy(np.float64), test["pred"].to_numpy(np.float64), rows, record)


def _out_of_fold(folds: list[_Fold], ledger: FoldLedger) -> Array:
    logits = np.full(len(ledger.table), np.nan)
    for fold in folds:
        logits[fold.rows] = to_logits(fold.heldout)
    return logits


def _same_rows(where: str, expected: pd.Series[str], found: pd.Series[str], what: str) -> None:
    if list(expected) == list(found):
        return
    differing = sorted(set(expected) ^ set(found)) or ["their order"]
    raise UserError(f"{where} was made on other {what}: {_some(differing)}; train again")


def _some(names: Sequence[str], shown: int = 5) -> str:
    return ", ".join(names[:shown]) + (f" (+{len(names) - shown} more)" if len(names) > shown else "")


def _sentence(left_out: dict[str, str]) -> str:
    return "; ".join(f"{name} has {reason}" for name, reason in left_out.items())
