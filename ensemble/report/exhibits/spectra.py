"""The spectra of the photographs that are shown, beside those of all real and all fake training photographs.

They come from the transformer that the config names: the report itself knows no Fourier transform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ensemble.config.settings import Recipe
from ensemble.core.arrays import Labels
from ensemble.core.metrics.scores import CLASSES
from ensemble.engine.recipes.build import Spectra, build
from ensemble.report.exhibits.pictures import reduced_power, spectrum_picture
from ensemble.report.facts.material import Material
from ensemble.store.columns import SPECTRA, read_columns

Curve = tuple[float, ...]
_BAND = (5, 95)  # percentiles
_DECIMALS = 4
_DARKEST, _BRIGHTEST = 2, 99.8  # percentiles of all spectra that are shown


@dataclass(frozen=True)
class Spectrums:
    """Spectra of the photographs that are shown, and of the classes.

    Attributes
    ----------
    frequencies : tuple of float
        Cycles a pixel of the curves.
    curves, pictures : dict
        Curves, and data URIs of the two-dimensional spectra, by `split/name`.
    means, bands : dict
        Mean curve of the real and of the fake training photographs, and their 5th and 95th percentiles.
    notes : tuple of str
        How to read them, and what is missing.
    """

    frequencies: Curve = ()
    curves: dict[str, Curve] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    means: dict[str, Curve] = field(default_factory=dict)
    bands: dict[str, tuple[Curve, Curve]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def spectra_of(material: Material, identities: Sequence[str], pixels: Mapping[str, NDArray[np.uint8]]) -> Spectrums:
    """Compute the spectra of the available photographs; an error of the transformer costs the spectra only.

    Parameters
    ----------
    identities : sequence of str
        `split/name` of all that are shown: curves of missing photographs come from the store's table.
    pixels : dict of uint8 (height, width, 3)
        Those that are available.
    """
    recipe = material.experiment.report.spectra
    try:
        return _spectra(material, recipe, identities, pixels)
    except (Exception, SystemExit) as error:  # anybody's code
        return Spectrums(notes=(f"There are no spectra: {recipe.use} raised {type(error).__name__} ({error}).",))


def _spectra(
    material: Material, recipe: Recipe, identities: Sequence[str], pixels: Mapping[str, NDArray[np.uint8]]
) -> Spectrums:
    stored = read_columns(material.store, material.predictions.ledger, recipe, SPECTRA)
    if stored is None and not pixels:
        return Spectrums()
    transformer: Spectra = build(recipe)
    frequencies = np.asarray(transformer.frequencies, dtype=np.float64)
    curves = {name: transformer.transform(each[None])[0, : len(frequencies)] for name, each in pixels.items()}
    means: dict[str, Curve] = {}
    bands: dict[str, tuple[Curve, Curve]] = {}
    if stored is not None:
        train, test = (table[:, : len(frequencies)] for table in stored)
        rows = _rows(material)
        tables = {"train": train, "test": test}
        curves = {name: tables[split][row] for name in identities for split, row in [rows[name]]}
        means, bands = curves_of_classes(train, material.labels)
    pictures, scale = _pictures(transformer, pixels)
    written = {name: _curve(curve) for name, curve in curves.items()}
    return Spectrums(_curve(frequencies), written, pictures, means, bands, (*_notes(stored is not None), *scale))


def curves_of_classes(
    curves: NDArray[np.float32], labels: Labels
) -> tuple[dict[str, Curve], dict[str, tuple[Curve, Curve]]]:
    """Return the mean curve of each class, by its name, and the 5th and 95th percentiles, of curves (rows, points)."""
    of_class = {word: curves[labels == label] for label, word in enumerate(CLASSES)}
    means = {word: _curve(values.mean(axis=0)) for word, values in of_class.items()}
    return means, {word: _band(values) for word, values in of_class.items()}


def _rows(material: Material) -> dict[str, tuple[str, int]]:
    names = {"train": material.names, "test": material.store.sample().names}
    return {f"{split}/{name}": (split, row) for split, all_names in names.items() for row, name in enumerate(all_names)}


def _pictures(transformer: Spectra, pixels: Mapping[str, NDArray[np.uint8]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Draw all on one scale of grey, so that they can be compared."""
    powers = {name: transformer.picture(each) for name, each in pixels.items()}
    if not powers:
        return {}, ()
    seen = np.concatenate([reduced_power(power).ravel() for power in powers.values()])
    darkest, brightest = (float(value) for value in np.percentile(seen, [_DARKEST, _BRIGHTEST]))
    note = (
        "The picture beside a photograph is its spectrum: coarse structure in the middle, the finest at the edges, "
        f"power from 10^{darkest:.1f} (black) to 10^{brightest:.1f} (white), the same for all. "
        "Many generators leave isolated bright points away from the middle, and so do the blocks of JPEG."
    )
    return {name: spectrum_picture(power, darkest, brightest) for name, power in powers.items()}, (note,)


def _notes(has_means: bool) -> tuple[str, ...]:
    if has_means:
        return ()
    return ("The class means are not in the store yet: ensemble audit CONFIG --data PATH computes them.",)


def _band(values: NDArray[np.float32]) -> tuple[Curve, Curve]:
    low, high = np.percentile(values, _BAND, axis=0)
    return _curve(low), _curve(high)


def _curve(values: NDArray[np.floating]) -> Curve:
    if not np.isfinite(values).all():
        raise ValueError("it gives values that are no finite numbers")
    return tuple(np.round(values.astype(np.float64), _DECIMALS).tolist())
