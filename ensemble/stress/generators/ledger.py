"""Folds that each hold out one whole cluster of fakes, and real photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.core.errors import UserError
from ensemble.folds.ledger import FoldLedger
from ensemble.stress.generators.clusters import METHOD

ALGORITHM = f"clusters of fakes beside their share of real groups, 1; {METHOD}"


def cluster_ledger(ledger: FoldLedger, clusters: NDArray[np.int64]) -> FoldLedger:
    """Return a ledger of the same rows whose fold k holds out cluster k of the fakes.

    Real photographs are assigned at random, groups whole, in proportion to the fakes, so that every fold learns from
    the same share of fakes as the random folds do.

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
    assigned = np.bincount(beside.astype(np.int64), minlength=clusters.max() + 1).astype(np.int64)
    sizes = table.loc[~fakes & ~table["group"].isin(fold_of_group), "group"].value_counts().sort_index()
    if len(sizes) < (assigned == 0).sum():
        raise UserError(f"{len(sizes)} groups of real photographs are too few for {len(assigned)} clusters of fakes")
    shares = np.bincount(clusters) / len(clusters) * (~fakes).sum()
    folds = _assign(sizes.to_numpy().astype(np.int64), assigned, shares, ledger.seed)
    fold_of_group |= dict(zip(sizes.index, folds, strict=True))
    return ledger.with_folds(table["group"].map(fold_of_group).to_numpy(np.int64), ALGORITHM)


def _assign(
    sizes: NDArray[np.int64], assigned: NDArray[np.int64], shares: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """Return a fold for each group (groups,): the largest first, each to the fold that is least full."""
    mixed = np.random.default_rng(seed).permutation(len(sizes))
    folds, assigned = np.empty(len(sizes), dtype=np.int64), assigned.copy()
    for group in mixed[np.argsort(-sizes[mixed], kind="stable")]:
        folds[group] = int(np.argmin(assigned / shares))
        assigned[folds[group]] += sizes[group]
    return folds
