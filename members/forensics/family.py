"""Feature families, each loaded by the name of its module in `families`, and the table of their columns.

NumPy and SciPy are enough for it: neither scikit-learn nor numba has to be installed.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from members.forensics import families
from members.forensics.photograph import Floats, Photograph, Pixels, table_of

DEFAULT_FAMILIES = (
    *("spectrum", "dct", "digits", "wavelets", "phase"),
    *("residuals", "extremes", "neighbours", "colour", "flags"),
)


@dataclass(frozen=True)
class Family:
    """Columns that belong together.

    Parameters
    ----------
    columns : tuple of str
        The names without the family's own: `Y/azimuthal_017`. The same for all photographs.
    compute : callable
        From a photograph to its finite values, one a column, shape (columns,).
    """

    columns: tuple[str, ...]
    compute: Callable[[Photograph], Floats]


@cache
def known_families() -> tuple[str, ...]:
    """Return the names of all families, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(families.__path__)))


def load_families(names: Sequence[str]) -> dict[str, Family]:
    """Return the named families in the given order.

    Raises
    ------
    ValueError
        If `names` is empty, repeats a family or holds an unknown one.
    """
    known = known_families()
    unknown = [name for name in names if name not in known]
    if isinstance(names, str) or not names or unknown or len(set(names)) < len(names):
        raise ValueError(f"families must be a list of some of {', '.join(known)}, each once; got {names!r}")
    return {name: _load(name) for name in names}


def _load(name: str) -> Family:
    family: Family = importlib.import_module(f"{families.__name__}.{name}").FAMILY
    return family


def column_names(names: Sequence[str] = DEFAULT_FAMILIES) -> list[str]:
    """Return the names of the columns of the named families, in order; a wrong one is a ValueError."""
    return [f"{name}/{column}" for name, family in load_families(names).items() for column in family.columns]


def row_of(photograph: Photograph, names: Sequence[str] = DEFAULT_FAMILIES) -> Floats:
    """Return one photograph's values in these columns, shape (columns,)."""
    return np.concatenate([family.compute(photograph) for family in load_families(names).values()])


def forensic_table(X: Pixels, names: Sequence[str] = DEFAULT_FAMILIES) -> npt.NDArray[np.float32]:
    """Compute these columns of photographs as `ForensicFeatures` does: uint8 (n, height, width, 3) to (n, columns)."""
    return table_of(X, len(column_names(names)), lambda photograph: row_of(photograph, names))
