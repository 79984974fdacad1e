"""More labelled photographs: rows that have a fold keep it, and new ones are assigned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.folds.ledger import FoldLedger

_EXTENDED = "; extended"


def extended(
    ledger: FoldLedger, names: Sequence[str], labels: NDArray[np.int64], groups: Sequence[str]
) -> tuple[FoldLedger, list[str]]:
    """Return a ledger of more rows, and the new rows that resemble old ones of several folds.

    New rows of a group that has old rows go to the fold of these (that of most, if there are several). The other groups
    go, the largest first, to the fold that has the fewest rows of their label.

    Parameters
    ----------
    names, labels, groups : sequences (rows,)
        Of all rows, old ones included.
    """
    table = pd.DataFrame({"name": list(names), "label": labels, "group": list(groups)})
    table = table.sort_values("name", ignore_index=True)
    before = ledger.table.set_index("name")
    table["fold"] = table["name"].map(before["fold"]).fillna(-1).astype(np.int64)
    old = table["fold"] >= 0
    folds_of: dict[str, Counter[int]] = defaultdict(Counter)
    for group, fold in table.loc[old, ["group", "fold"]].itertuples(index=False):
        folds_of[group][fold] += 1
    home = {group: max(sorted(folds), key=folds.__getitem__) for group, folds in folds_of.items()}
    table.loc[~old, "fold"] = table.loc[~old, "group"].map(home).fillna(-1).astype(np.int64)
    several = {group for group, folds in folds_of.items() if len(folds) > 1}
    torn = [str(name) for name in table.loc[~old & table["group"].isin(several), "name"]]
    # Old rows keep their groups, so that none is in two folds; a new row joins that of an old one in its fold.
    table["group"] = _group_names(table, before, old)
    table["fold"] = _assigned(table, ledger)
    algorithm = ledger.algorithm.removesuffix(_EXTENDED) + _EXTENDED
    found = FoldLedger(table, ledger.n_folds, ledger.seed, ledger.distance, algorithm)
    found.check()
    return found, torn


def is_extension_of(algorithm: str, other: str) -> bool:
    """Return whether a ledger was cut by an algorithm, and maybe extended since."""
    return algorithm.removesuffix(_EXTENDED) == other


def _group_names(table: pd.DataFrame, before: pd.DataFrame, old: pd.Series[bool]) -> list[str]:
    names = dict(zip(before.index, before["group"], strict=True))
    in_fold = {(g, f): names[n] for n, g, f in table.loc[old, ["name", "group", "fold"]].itertuples(index=False)}
    return [
        names.get(name) or in_fold.get((group, fold)) or str(group)
        for name, group, fold in table[["name", "group", "fold"]].itertuples(index=False)
    ]


def _assigned(table: pd.DataFrame, ledger: FoldLedger) -> NDArray[np.int64]:
    """Return the folds, with one for the groups that have none yet."""
    labels, folds = table["label"].to_numpy(), table["fold"].to_numpy(copy=True)
    counts = np.zeros((2, ledger.n_folds), dtype=np.int64)
    np.add.at(counts, (labels[folds >= 0], folds[folds >= 0]), 1)
    without = np.flatnonzero(folds < 0)
    rows_of = pd.Series(without).groupby(table["group"].to_numpy()[without]).apply(np.asarray)
    mixed = np.random.default_rng(ledger.seed).permutation(len(rows_of))
    for rows in sorted(rows_of.iloc[mixed], key=len, reverse=True):
        label = int(2 * labels[rows].sum() > len(rows))  # that of most
        fold = int(np.argmin(counts[label]))
        folds[rows] = fold
        counts[label, fold] += len(rows)
    return folds
