"""Stateless transformers from photographs to named columns, and the one that computes the feature families."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from members.forensics.family import load_families
from members.forensics.photograph import Floats, Photograph, Pixels, checked_photographs

if TYPE_CHECKING:
    from typing import Self

    from sklearn.utils import Tags

DEFAULT_FAMILIES = (
    *("spectrum", "dct", "digits", "wavelets", "phase"),
    *("residuals", "extremes", "neighbours", "colour", "flags"),
)


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
        X = checked_photographs(X)
        table = np.empty((len(X), len(self._columns())), dtype=np.float32)
        for row, pixels in zip(table, X, strict=True):
            row[:] = self._row(Photograph(pixels))
        return table

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

    def _columns(self) -> list[str]:
        families = load_families(self.families).items()
        return [f"{name}/{column}" for name, family in families for column in family.columns]

    def _row(self, photograph: Photograph) -> Floats:
        families = load_families(self.families).values()
        return np.concatenate([family.compute(photograph) for family in families])
