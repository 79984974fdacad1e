"""Feature families, and how the module in `families` that defines one is loaded by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from members.forensics import families
from members.forensics.photograph import Floats, Photograph


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
