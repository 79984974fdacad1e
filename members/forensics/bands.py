"""The mean spectrum of real and of fake photographs, with percentile bands over the photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from members.forensics.families.spectrum import RINGS, RINGS_PER_CYCLE
from members.forensics.photograph import CHANNELS, Pixels
from members.forensics.transformer import ForensicFeatures

PERCENTILES: Final = (5, 25, 50, 75, 95)


def spectrum_bands(
    X: Pixels, labels: npt.NDArray[np.integer], percentiles: Sequence[float] = PERCENTILES
) -> pd.DataFrame:
    """Return the azimuthal average of the power spectrum of each class.

    Parameters
    ----------
    X : uint8 array (n, height, width, 3)
        RGB.
    labels : int array (n,)
        1 fake, 0 real.
    percentiles : sequence of float
        0 to 100, over the photographs of a class.

    Returns
    -------
    DataFrame
        A row for each label, channel and ring: `label`, `channel`, `ring`, `frequency` in cycles a pixel, `mean` and
        `p05` and so on, in decades over the photograph's own low frequencies (rings 4 to 8).

    Raises
    ------
    ValueError
        If there is not one label for every photograph.
    """
    if len(labels) != len(X):
        raise ValueError(f"there are {len(X)} photographs and {len(labels)} labels")
    features = ForensicFeatures(families=["spectrum"])
    table = pd.DataFrame(features.transform(X), columns=features.get_feature_names_out())
    return pd.concat(
        [_of_channel(table[labels == label], label, channel, percentiles) for label in (0, 1) for channel in CHANNELS],
        ignore_index=True,
    )


def _of_channel(table: pd.DataFrame, label: int, channel: str, percentiles: Sequence[float]) -> pd.DataFrame:
    rings = np.arange(RINGS)
    curves = table[[f"spectrum/{channel}/azimuthal_{ring:03d}" for ring in rings]].to_numpy(dtype=np.float64)
    bands = np.percentile(curves, percentiles, axis=0) if len(curves) else np.full((len(percentiles), RINGS), np.nan)
    names = [f"p{percentile:02g}" for percentile in percentiles]
    facts = {"label": label, "channel": channel, "ring": rings, "frequency": rings / RINGS_PER_CYCLE}
    mean = curves.mean(axis=0) if len(curves) else np.full(RINGS, np.nan)
    return pd.DataFrame({**facts, "mean": mean, **dict(zip(names, bands, strict=True))})
