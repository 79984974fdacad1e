"""The clusters of a store's fakes: stored ones, or new ones, with the facts that a report shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.config.settings import Recipe
from ensemble.core.errors import UserError
from ensemble.core.storage.files import new_file, write_text
from ensemble.core.storage.hashing import digest
from ensemble.core.storage.json_file import read_json
from ensemble.engine.recipes.build import build
from ensemble.engine.recipes.code import features_key
from ensemble.folds.ledger import FoldLedger
from ensemble.store.columns import SPECTRA, read_columns
from ensemble.store.oof import OofStore
from ensemble.stress.generators.clusters import METHOD, RULE, Clusters, find_clusters
from ensemble.stress.generators.ledger import ALGORITHM, cluster_ledger

FACTS, TABLE = "clusters.json", "clusters.parquet"


@dataclass(frozen=True)
class Found:
    """Clusters as facts in plain JSON, the cluster of each fake, and the folds that hold out the clusters.

    Attributes
    ----------
    facts : dict
        `clusters` (a list, the largest first), `silhouette`, `silhouettes`, `frequencies`, and hashes of their inputs.
    table : DataFrame
        Columns `name` and `cluster` of every fake, in the order of the ledger.
    """

    facts: dict[str, Any]
    table: pd.DataFrame
    ledger: FoldLedger


def stored_clusters(
    cluster_store: OofStore, ledger: FoldLedger, recipe: Recipe, n_clusters: int | None
) -> Found | None:
    """Return the stored clusters, if they are of these fakes and spectra, and as many as given (None: any number)."""
    try:
        facts = read_json(cluster_store.root / FACTS, dict)
        found = cluster_store.ledger()
    except (OSError, ValueError, UserError):
        return None
    known = facts.get("made_of") == _made_of(ledger, recipe) and facts.get("folds_sha256") == found.sha256
    if not known or n_clusters not in (None, len(facts["clusters"])):
        return None
    return Found(facts, _table(found, found.folds[found.labels == 1]), found)


def new_clusters(store: OofStore, ledger: FoldLedger, recipe: Recipe, n_clusters: int | None) -> Found:
    """Cluster the fakes of a store by its spectra.

    Raises
    ------
    UserError
        The store holds no spectra, or the fakes cannot be cut so.
    """
    columns = read_columns(store, ledger, recipe, file=SPECTRA)
    if columns is None:
        raise UserError(f"{store.root} holds no spectra of this config, so its fakes cannot be clustered")
    transformer, fakes = build(recipe), ledger.labels == 1
    if not hasattr(transformer, "frequencies"):
        raise UserError(f"{recipe.use} (report.spectra) has no frequencies: its columns are no spectra to cluster by")
    rows = ledger.table[fakes]
    clusters = find_clusters(columns[0][fakes], list(rows["name"]), list(rows["group"]), ledger.seed, n_clusters)
    folds = cluster_ledger(ledger, clusters.labels)
    frequencies = np.asarray(transformer.frequencies, dtype=np.float64)
    curves = columns[0][:, : len(frequencies)]
    facts = {
        "made_of": _made_of(ledger, recipe),
        "folds_sha256": folds.sha256,
        "method": METHOD,
        "rule": RULE if n_clusters is None else f"--clusters {n_clusters}",
        "seed": ledger.seed,
        "spectra": recipe.model_dump(mode="json"),
        "silhouette": clusters.silhouette,
        "silhouettes": {str(number): value for number, value in clusters.tried.items()},
        "frequencies": frequencies.tolist(),
        "luminance_of_real": _mean_curve(curves[~fakes]),
        "luminance_of_fakes": _mean_curve(curves[fakes]),
        "clusters": [_facts_of(clusters, number, folds, curves[fakes]) for number in range(clusters.number)],
    }
    return Found(facts, _table(folds, clusters.labels), folds)


def write_clusters(cluster_store: OofStore, found: Found) -> None:
    """Write `clusters.parquet` and then `clusters.json`."""
    with new_file(cluster_store.root / TABLE) as temporary:
        found.table.to_parquet(temporary, index=False)
    write_text(cluster_store.root / FACTS, json.dumps(found.facts, indent=1) + "\n")


def _facts_of(clusters: Clusters, number: int, folds: FoldLedger, curves: NDArray[np.float32]) -> dict[str, Any]:
    """Return the facts of one cluster; `curves` are those of the fakes."""
    return {
        "cluster": number,
        **_sizes(folds, number),
        "silhouette": clusters.each[number],
        "nearest": clusters.nearest[number],
        "luminance": _mean_curve(curves[clusters.labels == number]),
    }


def _sizes(folds: FoldLedger, number: int) -> dict[str, int]:
    """Return the counts of photographs that a fold holds out, and that it learns from."""
    out, learned = folds.labels[folds.heldout(number)], folds.labels[folds.training(number)]
    return {
        "fakes": int(out.sum()),
        "real": int((out == 0).sum()),
        "training_fakes": int(learned.sum()),
        "training_real": int((learned == 0).sum()),
    }


def _table(folds: FoldLedger, clusters: NDArray[np.int64]) -> pd.DataFrame:
    names = folds.table.loc[folds.labels == 1, "name"].to_numpy()
    return pd.DataFrame({"name": names, "cluster": clusters.astype(np.int64)})


def _mean_curve(curves: NDArray[np.float32]) -> list[float]:
    return [round(float(value), 6) for value in curves.mean(axis=0, dtype=np.float64)]


def _made_of(ledger: FoldLedger, recipe: Recipe) -> str:
    return digest([features_key(recipe), ledger.sha256, ALGORITHM])
