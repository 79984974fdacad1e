"""Loops over pixels, compiled, or the same in NumPy where there is no compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

try:
    import numba
except ImportError:  # a small installation that only predicts: the compiler is larger than all else there
    HAS_NUMBA = False
else:
    HAS_NUMBA = True

_REORDER = {"reassoc", "contract"}

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of arrays and numbers at its first call, and cache the machine code beside the source file.

    Sums may be added up in another order, several terms at once: integers do not change, and other sums are short or in
    double precision, so that the difference is far below the columns' precision. Where neither this folder nor the
    user's cache is writable, every process compiles again; NUMBA_CACHE_DIR names another folder. A change of
    `compiled` itself does not invalidate the cache: delete the `.nbi` files in `__pycache__` after one.
    """
    try:
        fast = numba.njit(cache=True, nogil=True, fastmath=_REORDER)(function)
    except RuntimeError:  # no writable folder for the cache
        fast = numba.njit(nogil=True, fastmath=_REORDER)(function)
    return cast(Function, fast)


def compiled_or(plain: Function) -> Callable[[Function], Function]:
    """Decorate a function of loops: it is compiled where numba is installed, and elsewhere `plain` stands for it.

    Parameters
    ----------
    plain : callable
        The same in NumPy, which takes longer: whole numbers are equal, others up to rounding.
    """
    return compiled if HAS_NUMBA else lambda _: plain


def multiply_add(factor: np.float32, values: npt.NDArray[np.float32], sums: npt.NDArray[np.float32]) -> None:
    """Add products to sums in place, rounded once, as processors do in compiled loops: the product stays whole."""
    exact = np.multiply(values, np.float64(factor), dtype=np.float64)
    exact += sums
    sums[...] = exact
