"""Reading predictions from Parquet, no more of it than is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from ensemble.core.storage.files import Location, local_copy


class PredictionsFile:
    """A predictions.parquet in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._file = parquet.ParquetFile(pa.BufferReader(content))

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """All columns, or some."""
        return self._file.read(columns, use_threads=False)

    def name_pages(self) -> bytes:
        """The bytes that hold the names: equal ones hold equal names, which need not be read again."""
        if self._file.metadata.num_row_groups != 1:
            return self._content
        group = self._file.metadata.row_group(0)
        columns = (group.column(place) for place in range(group.num_columns))
        names = next((column for column in columns if column.path_in_schema == "name"), None)
        if names is None:
            return self._content
        start = names.dictionary_page_offset or names.data_page_offset
        return self._content[start : start + names.total_compressed_size]


def read_arrays(path: Location, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Columns of numbers of a file, read piece by piece: never twice in memory."""
    with local_copy(path) as local, parquet.ParquetFile(local) as file:
        types = {name: file.schema_arrow.field(name).type.to_pandas_dtype() for name in columns}
        found: dict[str, NDArray[Any]] = {name: np.empty(file.metadata.num_rows, types[name]) for name in columns}
        start = 0
        for batch in file.iter_batches(columns=list(columns), use_threads=False):
            for name in columns:
                found[name][start : start + len(batch)] = batch[name].to_numpy()
            start += len(batch)
    return found
