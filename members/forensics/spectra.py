"""The spectrum of a photograph to look at: a curve for each colour plane, and a picture. For audits and reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from members.forensics.families.spectrum import NYQUIST, RINGS_PER_CYCLE, curves, log_power
from members.forensics.photograph import CHANNELS, Floats, Photograph, Pixels
from members.forensics.transformer import PhotographTransformer

RINGS = NYQUIST + 1  # up to half a cycle a pixel: beyond it a photograph has corners only


class Spectra(PhotographTransformer):
    """Azimuthal averages of the log power of Y, Cb and Cr, in decades over the photograph's own low frequencies.

    The first columns are the curve of Y; `frequencies` has their frequencies.
    """

    @property
    def frequencies(self) -> npt.NDArray[np.float64]:
        """Cycles a pixel of the columns of one plane: float64 (129,), from 0 to 0.5."""
        return np.arange(RINGS) / RINGS_PER_CYCLE

    def export(self, folder: Path, size: tuple[int, int]) -> dict[str, Any]:  # noqa: ARG002  any size will do
        """Write nothing; return the settings of a bundle's reader of these columns."""
        return {"reader": "spectra"}

    def picture(self, photograph: Pixels) -> npt.NDArray[np.float32]:
        """Log10 of the windowed power of Y, squared grey levels, zero frequency in the middle: float32 (height, width).

        Parameters
        ----------
        photograph : uint8 array (height, width, 3)
            RGB; cropped to whole 8 x 8 blocks.
        """
        half = log_power(Photograph(photograph).ycc[:1])[0]
        height, width = half.shape[0], 2 * (half.shape[1] - 1)
        rows = -np.arange(height) % height  # P(v, u) = P(-v, -u)
        whole = np.concatenate([half, half[rows][:, width // 2 - 1 : 0 : -1]], axis=1)
        return np.fft.fftshift(whole).astype(np.float32)

    def _columns(self) -> list[str]:
        return [f"spectra/{channel}/azimuthal_{ring:03d}" for channel in CHANNELS for ring in range(RINGS)]

    def _row(self, photograph: Photograph) -> Floats:
        return curves(photograph)
