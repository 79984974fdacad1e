"""Feature columns of every photograph in the store: for blenders besides the logits, and spectra for audits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from ensemble.competition.dataset import Competition
from ensemble.config.settings import Recipe
from ensemble.core.arrays import Pixels
from ensemble.core.storage.files import local_copy, new_file
from ensemble.core.storage.hashing import digest
from ensemble.engine.features.tables import FeaturesFailed, compute_features
from ensemble.engine.recipes.code import features_key, libraries_key
from ensemble.folds.ledger import FoldLedger
from ensemble.store.context import RunContext
from ensemble.store.oof import COLUMNS, OofStore

_MADE_OF = b"made_of"  # in the file's metadata: recipe, code and data
_RECIPE = b"recipe"  # alone: a blend reads no photographs, and uses the columns of the last run

SPECTRA = "spectra.parquet"


def columns_missing(recipe: Recipe, competition: Competition, store: OofStore, file: str = COLUMNS) -> bool:
    """Return whether an experiment needs columns that a file of the store does not contain."""
    try:
        with local_copy(store.root / file) as local:
            metadata = parquet.read_schema(local).metadata or {}
    except (OSError, pa.ArrowException):
        return True
    return any(metadata.get(key) != value for key, value in _made_of(recipe, competition).items())


def make_columns(recipe: Recipe, context: RunContext, pixels: Pixels, file: str = COLUMNS) -> None:
    """Compute the columns of all photographs and write them into a file of the store.

    The table is cached like those of members. An error of a transformer is logged, and no member fails for it.
    """
    try:
        values = compute_features(recipe, pixels, context.engine, context.store.feature_cache, context.board)
    except FeaturesFailed as error:
        context.board.log(f"{file} could not be made: {error}")
        return
    write_columns(recipe, context, values, file)


def write_columns(recipe: Recipe, context: RunContext, values: NDArray[np.float32], file: str = COLUMNS) -> None:
    """Write columns float32 (photographs, columns) of a recipe, training rows first, into a file of the store."""
    train, test = list(context.ledger.table["name"]), context.competition.sample.names
    frame = pd.DataFrame(values).add_prefix("column_")
    frame.insert(0, "name", [*train, *test])
    frame.insert(1, "split", ["oof"] * len(train) + ["test"] * len(test))
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **_made_of(recipe, context.competition)})
    with new_file(context.store.root / file) as temporary:
        parquet.write_table(arrow, temporary)


def read_columns(
    store: OofStore,
    ledger: FoldLedger,
    recipe: Recipe | None = None,
    file: str = COLUMNS,
    sample: Sequence[str] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Read columns float32 of the ledger's rows and of the sample's (default: the sample in the store).

    None if the store does not have all of them, or not of this recipe (default: any recipe).
    """
    try:
        with local_copy(store.root / file) as local:
            arrow = parquet.read_table(local, use_threads=False)
    except (OSError, pa.ArrowException):
        return None
    if recipe is not None and (arrow.schema.metadata or {}).get(_RECIPE) != _recipe(recipe):
        return None
    names_of = [list(ledger.table["name"]), store.sample().names if sample is None else list(sample)]
    splits, names = arrow["split"].to_numpy(), arrow["name"].to_numpy()
    parts = []
    for split, wanted in zip(("oof", "test"), names_of, strict=True):
        here = np.flatnonzero(splits == split)
        found = pd.Index(names[here]).get_indexer(pd.Index(wanted, dtype=object))
        if (found < 0).any():
            return None
        parts.append(here[found])
    titles = [title for title in arrow.column_names if title not in ("name", "split")]
    tables = [np.empty((len(rows), len(titles)), np.float32) for rows in parts]
    for number, title in enumerate(titles):  # column by column: pandas would hold all of them twice
        values = arrow[title].to_numpy()
        for table, rows in zip(tables, parts, strict=True):
            table[:, number] = values[rows]
    return tables[0], tables[1]


def _recipe(recipe: Recipe) -> bytes:
    return digest(recipe.model_dump(mode="json")).encode()


def _made_of(recipe: Recipe, competition: Competition) -> dict[bytes, bytes]:
    made_of = digest([features_key(recipe), libraries_key(recipe), competition.sha256])
    return {_MADE_OF: made_of.encode(), _RECIPE: _recipe(recipe)}
