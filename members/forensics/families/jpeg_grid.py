"""Traces of an earlier JPEG on its grid of 8 x 8 pixels. For audits: a member may learn how the files were saved."""

from __future__ import annotations

import numpy as np

from members.forensics.blocks import BLOCK, block_columns, cosine_basis
from members.forensics.families import spectrum
from members.forensics.family import Family
from members.forensics.photograph import Floats, Photograph
from members.forensics.rings import azimuthal_average
from members.forensics.statistics import FLOOR

HIGH = slice(80, 121)  # the rings that 4:2:0 sub-sampling empties in the chroma planes


def jpeg_grid(photograph: Photograph) -> Floats:
    """Return the blockiness by phase, where it is strongest, the grid's contrast, and the loss of fine chroma.

    Blockiness is the mean of |d(x) - (d(x - 1) + d(x + 1)) / 2| of the first differences d of Y, by x mod 8, over the
    median of the eight; along rows, then along columns. The grid's contrast is the log beta (moment estimate) of each
    AC coefficient of Y on the grid, less that on the grid moved by half a block. Fine chroma is the mean log10 power of
    Cb in rings 80 to 120 less that of Y.
    """
    luminance = photograph.ycc[0].astype(np.float64)
    phases = [_blockiness(np.diff(plane, axis=1)) for plane in (luminance, luminance.T)]
    strongest = [float(curve.argmax()) for curve in phases]
    half = BLOCK // 2
    moved = photograph.ycc[:1, half:-half, half:-half]
    contrast = _log_betas(photograph.block_dct[0]) - _log_betas((cosine_basis()[1:] @ block_columns(moved))[0])
    return np.concatenate([*phases, strongest, contrast, [_fine_chroma(photograph)]])


def _blockiness(differences: Floats) -> Floats:
    """Mean break of each column phase over the median phase, shape (8,). Phase 7 is across a block's edge."""
    breaks = np.abs(differences[:, 1:-1] - (differences[:, :-2] + differences[:, 2:]) / 2).mean(axis=0)
    phase = np.arange(1, len(breaks) + 1) % BLOCK
    means = np.bincount(phase, weights=breaks) / np.bincount(phase) + FLOOR
    ratios: Floats = means / np.median(means)
    return ratios


def _log_betas(coefficients: Floats) -> Floats:
    betas: Floats = np.log(coefficients.std(axis=-1) / np.sqrt(2) + FLOOR)
    return betas


def _fine_chroma(photograph: Photograph) -> float:
    logs = spectrum.log_power(photograph.ycc[:2])
    luminance, chroma = (azimuthal_average(plane, spectrum.RINGS_PER_CYCLE, HIGH.stop)[HIGH].mean() for plane in logs)
    return float(chroma - luminance)


FAMILY = Family(
    (
        *(f"Y/rows_phase_{phase}" for phase in range(BLOCK)),
        *(f"Y/columns_phase_{phase}" for phase in range(BLOCK)),
        *("Y/rows_strongest", "Y/columns_strongest"),
        *(f"Y/contrast_{k:02d}" for k in range(1, BLOCK * BLOCK)),
        "Cb/fine_chroma",
    ),
    jpeg_grid,
)
