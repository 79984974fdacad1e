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
    are summed in double precision, far below what is kept.
    """
    return cast(Function, numba.njit(cache=True, nogil=True, fastmath=_REORDER)(function))
