"""Loops over pixels, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

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
