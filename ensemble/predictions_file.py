"""Reading a predictions.parquet, whole or only what is not known already."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import parquet


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
