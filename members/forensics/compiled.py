"""Loops over pixels, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of arrays and numbers at its first call, and keep the machine code beside the source file.

    Its own arithmetic stays exact (no reordering of sums), so that all machines agree.
    """
    return cast(Function, numba.njit(cache=True, nogil=True)(function))
