"""What members take as photographs: an array, or any view that gathers rows on demand."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]


class Photographs(Protocol):
    """What `X` must offer: an ndarray does, and so does any view that gathers rows on demand."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def dtype(self) -> Any: ...  # noqa: D102

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Rows, /) -> npt.NDArray[np.uint8]: ...
