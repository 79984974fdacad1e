"""Loops over pixels, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_REORDER = {"reassoc", "contract"}

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of arrays and numbers at its first call, and keep the machine code beside the source file.

    Sums may be taken in another order, so that several terms are added at once: whole numbers do not notice, and others
    are summed in double precision, or few at a time, far below what is kept. Where neither this folder nor the user's
    cache can be written, every process compiles anew; NUMBA_CACHE_DIR names another place. The machine code does not
    notice a change of this function: delete the `.nbi` files in `__pycache__` after one.
    """
    try:
        fast = numba.njit(cache=True, nogil=True, fastmath=_REORDER)(function)
    except RuntimeError:  # no place to keep it
        fast = numba.njit(nogil=True, fastmath=_REORDER)(function)
    return cast(Function, fast)
