"""Parquet files as tables and as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from ensemble.core.storage.files import Location, local_copy


def read_parquet(path: Location) -> pd.DataFrame:
    """Read a whole file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no Parquet file, or is damaged.
    """
    with local_copy(path) as local, _damage_as_value_error(path):
        table = pd.read_parquet(local, use_threads=False)  # every thread would allocate memory of its own
        pa.Table.from_pandas(table).validate(full=True)  # that texts are UTF-8, which would show later
        return table


def read_arrays(path: Location, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read columns of numbers batch by batch, so that they are in memory once only; errors are as above."""
    with local_copy(path) as local, _damage_as_value_error(path), parquet.ParquetFile(local) as file:
        types = {name: file.schema_arrow.field(name).type.to_pandas_dtype() for name in columns}
        found: dict[str, NDArray[Any]] = {name: np.empty(file.metadata.num_rows, types[name]) for name in columns}
        start = 0
        for batch in file.iter_batches(columns=list(columns), use_threads=False):
            for name in columns:
                found[name][start : start + len(batch)] = batch[name].to_numpy()
            start += len(batch)
    return found


@contextmanager
def _damage_as_value_error(path: Location) -> Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # what pyarrow and pandas raise on damaged bytes is no closed list
        raise ValueError(f"{path} is not a Parquet file, or is damaged") from error
