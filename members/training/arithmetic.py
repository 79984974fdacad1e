"""The device and the precision of a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch


@dataclass(frozen=True)
class Arithmetic:
    """Where a network computes and with which numbers."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, device: str, precision: str) -> Arithmetic:
        """Resolve "auto" into a device and a precision.

        A CPU gets float32 even where it has bfloat16 instructions, so that two machines differ by rounding only. Where
        it has none, torch emulates them: `tf_efficientnet_lite0` at 256 px, one thread of an AVX2 machine, trained 0.6
        photographs a second in bfloat16 and 6.0 to 7.7 in float32 (both channels_last).
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError('device="cuda", but torch sees no CUDA device here; set device to "auto" or "cpu"')
        place = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
        if precision != "auto":
            return cls(place, getattr(torch, precision))
        return cls(place, _fast_cuda_dtype() if place.type == "cuda" else torch.float32)

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Call the network in this context. In float32 a GPU does not round to TF32: it predicts as a CPU does."""
        exact, tf32 = self.dtype == torch.float32, torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = tf32 and not exact
        try:
            with torch.autocast(self.device.type, self.dtype, enabled=not exact):
                yield
        finally:
            torch.backends.cudnn.allow_tf32 = tf32

    def tensor(self, values: npt.NDArray[Any]) -> torch.Tensor:
        """Copy an array to the device. Read-only arrays are copied in any case: torch has no read-only tensors."""
        return torch.from_numpy(np.require(values, requirements=["C", "W"])).to(self.device)

    def free_bytes(self) -> int | None:
        """Return the memory that is free on a GPU; None on a CPU, where photographs are in memory anyway."""
        return torch.cuda.mem_get_info(self.device)[0] if self.device.type == "cuda" else None


def _fast_cuda_dtype() -> torch.dtype:
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16
