"""Numbers of a Parquet file as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from ensemble.core.storage.files import Location, local_copy


def read_arrays(path: Location, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read columns of numbers batch by batch, so that they are in memory once only."""
    with local_copy(path) as local, parquet.ParquetFile(local) as file:
        types = {name: file.schema_arrow.field(name).type.to_pandas_dtype() for name in columns}
        found: dict[str, NDArray[Any]] = {name: np.empty(file.metadata.num_rows, types[name]) for name in columns}
        start = 0
        for batch in file.iter_batches(columns=list(columns), use_threads=False):
            for name in columns:
                found[name][start : start + len(batch)] = batch[name].to_numpy()
            start += len(batch)
    return found
