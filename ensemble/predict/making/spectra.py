"""The mean spectra of both classes, which a photograph's own can be drawn between."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.engine.recipes.build import build
from ensemble.predict.bundle.manifest import Reader, Spectra
from ensemble.predict.making.inputs import StoreInputs
from ensemble.report.exhibits.spectra import curves_of_classes
from ensemble.store.columns import SPECTRA, read_columns


def mean_spectra(inputs: StoreInputs) -> Spectra | None:
    """Return the mean spectra of the training photographs; None if the store has none that can be drawn."""
    recipe, ledger = inputs.experiment.report.spectra, inputs.predictions.ledger
    stored = read_columns(inputs.store, ledger, recipe, SPECTRA)
    if stored is None:
        return None
    transformer = build(recipe)
    if not hasattr(transformer, "frequencies"):  # its columns are no curves
        return None
    frequencies = np.asarray(transformer.frequencies, dtype=np.float64)
    curves = stored[0][:, : len(frequencies)]
    if not np.isfinite(curves).all():
        return None
    means, bands = curves_of_classes(curves, ledger.labels)
    return Spectra(
        reader=_reader(transformer, inputs.size),
        frequencies=tuple(frequencies.tolist()),
        real=means["real"],
        fake=means["fake"],
        real_range=bands["real"],
        fake_range=bands["fake"],
    )


def _reader(transformer: Any, size: tuple[int, int]) -> Reader | None:
    """Return what computes such a spectrum in a bundle; None for a transformer that cannot be exported."""
    if not hasattr(transformer, "export"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        settings = dict(transformer.export(Path(folder), size))
        if any(Path(folder).iterdir()):  # a network, say: too much for a picture beside an answer
            return None
    return Reader(reader=settings.pop("reader"), folder="spectra", settings=settings)
