"""More labelled photographs: rows that have a fold keep it, and new ones are assigned."""

from __future__ import annotations

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
    folds_of_group = table[old].groupby("group")["fold"]
    home = folds_of_group.agg(lambda folds: folds.mode().iloc[0])
    several = set(folds_of_group.nunique().loc[lambda count: count > 1].index)
    table.loc[~old, "fold"] = table.loc[~old, "group"].map(home).fillna(-1).astype(np.int64)
    torn = [str(name) for name in table.loc[~old & table["group"].isin(several), "name"]]
    # Old rows keep their groups, so that none is in two folds; a new row joins that of an old one in its fold.
    table["group"] = _group_names(table, before, old)
    _assign(table, ledger)
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


def _assign(table: pd.DataFrame, ledger: FoldLedger) -> None:
    """Assign the groups that have no fold yet."""
    counts = np.zeros((2, ledger.n_folds), dtype=np.int64)
    for label, fold in table.loc[table["fold"] >= 0, ["label", "fold"]].itertuples(index=False):
        counts[label, fold] += 1
    without = table[table["fold"] < 0]
    sizes = without.groupby("group").size()
    mixed = np.random.default_rng(ledger.seed).permutation(len(sizes))
    for group in sizes.index[mixed[np.argsort(-sizes.to_numpy()[mixed], kind="stable")]]:
        rows = without.index[without["group"] == group]
        label = int(table.loc[rows, "label"].mode().iloc[0])
        fold = int(np.argmin(counts[label]))
        table.loc[rows, "fold"] = fold
        counts[label, fold] += len(rows)
