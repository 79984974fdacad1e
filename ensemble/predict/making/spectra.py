"""The mean spectra of both classes, which a photograph's own can be drawn between."""

from __future__ import annotations

import numpy as np

from ensemble.engine.recipes.build import build
from ensemble.predict.bundle.manifest import Spectra
from ensemble.predict.making.inputs import StoreInputs
from ensemble.report.exhibits.spectra import curves_of_classes
from ensemble.store.columns import SPECTRA, read_columns


def mean_spectra(inputs: StoreInputs) -> Spectra | None:
    """Return the mean spectra of the training photographs; None if the store has none."""
    recipe, ledger = inputs.experiment.report.spectra, inputs.predictions.ledger
    stored = read_columns(inputs.store, ledger, recipe, SPECTRA)
    if stored is None:
        return None
    frequencies = np.asarray(build(recipe).frequencies, dtype=np.float64)
    means, bands = curves_of_classes(stored[0][:, : len(frequencies)], ledger.labels)
    return Spectra(
        frequencies=tuple(frequencies.tolist()),
        real=means["real"],
        fake=means["fake"],
        real_range=bands["real"],
        fake_range=bands["fake"],
    )
