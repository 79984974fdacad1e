"""Keeping freed memory while a network trains on the CPU, so that the kernel need not clear it again every step."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_NEVER: Final = 2**31 - 1
# Where glibc's own moving thresholds end in a process that has freed large pieces; a process that once called mallopt
# cannot get the moving ones back.
_AFTERWARDS: Final = {_TRIM_THRESHOLD: 64 << 20, _MMAP_THRESHOLD: 32 << 20, _MMAP_MAX: 65536}


@contextmanager
def heap_kept() -> Iterator[None]:
    """Keep freed memory in the process, and return it all at the end. Has no effect without glibc.

    The maps of a training step are tens of megabytes each. glibc returns such pieces to the kernel when they are
    freed and requests them again in the next step, and the kernel clears every page: a fifth of the time of
    EfficientNet-Lite0 at 256 px on one thread (`tests/benchmarks/cnn_step.py`).
    """
    glibc = _glibc()
    if glibc is None:
        yield
        return
    glibc.mallopt(_MMAP_MAX, 0)
    glibc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        for option, value in _AFTERWARDS.items():
            glibc.mallopt(option, value)
        glibc.malloc_trim(0)


def _glibc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)  # what this process is linked with
    return library if hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt") else None
