"""Peak memory of a piece of work, though its process did other work before."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK = "VmHWM:"  # kB that were resident at most


def reset_peak() -> None:
    """Start to measure: on Linux the peak of the process is set to what it holds now; elsewhere it stays."""
    with suppress(OSError):
        _CLEAR.write_text("5")


def peak_mib() -> float:
    """Return the MiB that the process held at most since `reset_peak`."""
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith(_PEAK):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
