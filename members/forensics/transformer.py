"""Stateless transformers from photographs to named columns, and the one that computes the feature families."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from members.forensics.family import DEFAULT_FAMILIES, column_names, row_of
from members.forensics.logdct import log_dct, log_dct_columns
from members.forensics.photograph import Floats, Photograph, Pixels, table_of

if TYPE_CHECKING:
    from typing import Self

    from sklearn.utils import Tags


class PhotographTransformer(TransformerMixin, BaseEstimator):
    """Turns every photograph into a row by itself. Subclasses name the columns and fill one row."""

    @abstractmethod
    def _columns(self) -> list[str]:
        """Return the columns' names; a wrong parameter is a ValueError."""

    @abstractmethod
    def _row(self, photograph: Photograph) -> Floats:
        """Return one photograph's values, shape (columns,)."""

    def check_parameters(self) -> None:
        """Raise a `ValueError` if a parameter is wrong."""
        self._columns()

    def fit(self, X: Pixels, y: object = None) -> Self:  # noqa: ARG002
        """Check the parameters and learn nothing."""
        self._columns()
        return self

    def transform(self, X: Pixels) -> npt.NDArray[np.float32]:
        """Compute the columns of every photograph.

        Parameters
        ----------
        X : uint8 array (n, height, width, 3)
            RGB. A side under 32 pixels is mirrored outward to 32.

        Returns
        -------
        float32 array (n, columns)
            C-contiguous and finite. A row depends on nothing but its photograph.

        Raises
        ------
        ValueError
            If `X` holds something else, or a parameter is wrong.
        """
        return table_of(X, len(self._columns()), self._row)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:  # noqa: ARG002
        """Return the columns' names, as objects because scikit-learn's are."""
        return np.array(self._columns(), dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[no-untyped-call]
        tags.requires_fit = False
        return tags


class ForensicFeatures(PhotographTransformer):
    """Hand-made traces of cameras and generators, for a booster.

    Parameters
    ----------
    families : sequence of str
        Which feature families, in the order of their columns; see `members.forensics.families`. The default leaves out
        `residual_cells`, which is large, and `jpeg_grid` and `jpeg_ghosts`, which are for audits: a member that sees
        them may learn how a data set's files were saved.

    Examples
    --------
    >>> ForensicFeatures(families=["colour"]).get_feature_names_out()[-1]
    'colour/B/distinct'
    """

    def __init__(self, families: Sequence[str] = DEFAULT_FAMILIES) -> None:
        self.families = families

    def export(self, folder: Path, size: tuple[int, int]) -> dict[str, Any]:  # noqa: ARG002  any size will do
        """Write nothing; return the settings of a bundle's reader of these columns."""
        self.check_parameters()
        return {"reader": "forensics", "families": list(self.families)}

    def _columns(self) -> list[str]:
        return column_names(self.families)

    def _row(self, photograph: Photograph) -> Floats:
        return row_of(photograph, self.families)


class LogDCT(PhotographTransformer):
    """Mean of log|DCT-II| over square cells of frequencies, for Y, Cb and Cr (Frank et al., 2020).

    The cells cut each axis of frequencies into `256 / cell` equal parts, whatever the photograph's size, so
    that a column means the same at every size.

    Parameters
    ----------
    cell : int
        Side of a cell in coefficients of a 256-pixel photograph, a power of two up to 256.
    """

    def __init__(self, cell: int = 4) -> None:
        self.cell = cell

    def export(self, folder: Path, size: tuple[int, int]) -> dict[str, Any]:  # noqa: ARG002  any size will do
        """Write nothing; return the settings of a bundle's reader of these columns."""
        self.check_parameters()
        return {"reader": "log_dct", "cell": self.cell}

    def _columns(self) -> list[str]:
        return log_dct_columns(self.cell)

    def _row(self, photograph: Photograph) -> Floats:
        return log_dct(photograph, self.cell)
