"""Folds that each hold one whole cluster of fakes out, beside real photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.core.errors import UserError
from ensemble.folds.ledger import FoldLedger
from ensemble.stress.generators.clusters import METHOD

ALGORITHM = f"clusters of fakes beside their share of real groups, 1; {METHOD}"


def cluster_ledger(ledger: FoldLedger, clusters: NDArray[np.int64]) -> FoldLedger:
    """A ledger of the same rows whose fold k holds out cluster k of the fakes.

    Real photographs are dealt out by lot, groups whole, in proportion to the fakes: every fold then learns from as many
    real ones for each fake as the random folds do, and what changes is not the share of fakes.

    Parameters
    ----------
    clusters : int64 (fakes,)
        In the order of the ledger's fakes; equal within a group.

    Raises
    ------
    UserError
        There are fewer groups of real photographs than clusters.
    """
    table = ledger.table
    fakes = table["label"] == 1
    fold_of_group = dict(zip(table.loc[fakes, "group"], clusters, strict=True))
    beside = table.loc[~fakes & table["group"].isin(fold_of_group), "group"].map(fold_of_group)  # a near-duplicate
    taken = np.bincount(beside.astype(np.int64), minlength=clusters.max() + 1).astype(np.int64)
    sizes = table.loc[~fakes & ~table["group"].isin(fold_of_group), "group"].value_counts().sort_index()
    if len(sizes) < (taken == 0).sum():
        raise UserError(f"{len(sizes)} groups of real photographs are too few for {len(taken)} clusters of fakes")
    wanted = np.bincount(clusters) / len(clusters) * (~fakes).sum()
    dealt = _deal(sizes.to_numpy().astype(np.int64), taken, wanted, ledger.seed)
    fold_of_group |= dict(zip(sizes.index, dealt, strict=True))
    return ledger.with_folds(table["group"].map(fold_of_group).to_numpy(np.int64), ALGORITHM)


def _deal(
    sizes: NDArray[np.int64], taken: NDArray[np.int64], wanted: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """A fold for each group (groups,): the largest first, each to the fold that has the smallest part of its share."""
    mixed = np.random.default_rng(seed).permutation(len(sizes))
    folds, taken = np.empty(len(sizes), dtype=np.int64), taken.copy()
    for group in mixed[np.argsort(-sizes[mixed], kind="stable")]:
        folds[group] = int(np.argmin(taken / wanted))
        taken[folds[group]] += sizes[group]
    return folds
