"""The most memory that a piece of work held, though its process did other work before."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK = "VmHWM:"  # kB that were resident at most


def forget_peak() -> None:
    """Begin to measure: on Linux the process's peak is set to what it holds now; elsewhere it stays what it was."""
    with suppress(OSError):
        _CLEAR.write_text("5")


def peak_mib() -> float:
    """MiB that the process held at most since `forget_peak`."""
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith(_PEAK):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
