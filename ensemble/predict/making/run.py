"""One bundle from start to end: models, gate, limits and rates, a check against the store, and the files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Final

import numpy as np

from ensemble.blend.blenders.restored import restored
from ensemble.core.console.status import StatusLine
from ensemble.core.storage.files import Location
from ensemble.core.threads import threads
from ensemble.engine.recipes.build import build
from ensemble.engine.recipes.code import features_key, versions
from ensemble.engine.tasks.features import TableRequest
from ensemble.predict.bundle.files import Content
from ensemble.predict.bundle.manifest import CARD, SCHEMA, Doubt, Manifest, Scope, Scores, Spectra, Verdicts
from ensemble.predict.bundled_ensemble import BundledEnsemble
from ensemble.predict.doubt import DOUBT
from ensemble.predict.faces.mtcnn import FaceFinder, FacesNotAvailable
from ensemble.predict.faces.template import Template
from ensemble.predict.making.card import card_of
from ensemble.predict.making.check import check_against_store, check_held_out
from ensemble.predict.making.gate import HELD_OUT_SHARE, MOST_ROWS, Gates, fit_gates, training_columns
from ensemble.predict.making.held_out import HeldOut, HeldOutAnswers
from ensemble.predict.making.inputs import StoreInputs
from ensemble.predict.making.models import EnsembleParts, Models, add_features, export_models
from ensemble.predict.making.rates import verdicts_of
from ensemble.predict.making.variants import LARGEST_ANGLE, LARGEST_SCALE, LOWEST_QUALITY, VARIANTS, Variant
from ensemble.predict.making.writing import files_of, write_bundle
from ensemble.predict.photographs.preparing import Preparation
from ensemble.report.exhibits.spectra import curves_of_classes
from ensemble.store.columns import SPECTRA, read_columns
from ensemble.stress.robustness.sample import sample_rows

SCOPE: Final = Scope(lowest_quality=LOWEST_QUALITY, largest_scale=LARGEST_SCALE, largest_angle=LARGEST_ANGLE)
DOUBT_FOLDER: Final = "doubt"
_TIMED: Final = 16  # photographs
_FACES: Final = 256  # training photographs whose faces are measured


class BundleMaker:
    """Makes a bundle of a store, step by step; each step is done when it is first needed.

    Parameters
    ----------
    photographs : int
        How many training photographs the error rates are measured on; 0 for all.

    Raises
    ------
    UserError
        A member is of a kind that a bundle cannot hold, or predicts differently than when it was trained.
    """

    def __init__(self, inputs: StoreInputs, photographs: int, status: StatusLine) -> None:
        self.inputs, self.photographs, self.status = inputs, photographs, status
        self.cores = os.cpu_count() or 1
        reads_columns = restored(inputs.manifest["blender"]).reads_columns or inputs.honest.reads_columns
        recipe = inputs.experiment.blend.columns if inputs.manifest["columns_sha256"] and reads_columns else None
        self._columns = None if recipe is None else TableRequest(recipe, features_key(recipe))

    def make(self, path: Location) -> Manifest:
        """Measure, and write the bundle."""
        with threads(self.cores):
            difference = check_against_store(self._own, self.inputs)
            self.status.start(f"the models agree with the store to {difference:.0e}")
            first = self.answers(VARIANTS[:1])
            check_held_out(first[0], self.inputs)
            verdicts = verdicts_of([*first, *self.answers(VARIANTS[1:])])
        parts, content = replace(self._parts, doubt=self._doubt), self._models.content_of(self._parts)
        if self.gates is not None:
            content[DOUBT_FOLDER] = {DOUBT: self.gates.gate.to_bytes()}
        manifest = self._manifest(parts, verdicts, self._milliseconds(parts, content))
        content[""] = {CARD: card_of(self.inputs.store, manifest, is_the_blend=self.inputs.is_the_blend).encode()}
        manifest = manifest.model_copy(update={"files": files_of(content)})
        write_bundle(path, manifest, content)
        return manifest

    def answers(self, variants: Sequence[Variant]) -> list[HeldOutAnswers]:
        """Return what is answered about variants of a sample of held-out photographs."""
        possible = [variant for variant in variants if self.template is not None or not variant.aligned]
        self.status.start(f"asking about {len(self._held_out.rows)} held-out photographs: {len(possible)} variants")
        found = list[HeldOutAnswers]()
        for variant in possible:
            done = len(found) / len(possible)
            update = partial(self._update, done, 1 / len(possible))
            found.append(self._held_out.answers(variant, update))
        return found

    def _update(self, done: float, share: float, part: float) -> None:
        self.status.update(done + share * part)

    @cached_property
    def _held_out(self) -> HeldOut:
        inputs, ledger = self.inputs, self.inputs.predictions.ledger
        everybody = self._parts_of(list(inputs.members))
        rows = sample_rows(ledger, self.photographs)
        rows = rows[inputs.honest.part_of[rows] >= 0]
        return HeldOut(
            BundledEnsemble(everybody, self._models.content, "the store", self.cores),
            Preparation(inputs.size, self.template, SCOPE),
            inputs.honest,
            list(inputs.members),
            rows,
            ledger.labels[rows],
            ledger.folds[rows],
            np.asarray(inputs.pixels[rows]),
            self.gates,
            None if self._doubted is None else everybody.places[self._doubted],
            everybody.blend.columns,
        )

    @cached_property
    def gates(self) -> Gates | None:
        """The doubt gate, and one for each fold."""
        if self._doubted is None:
            return None
        self.status.start("fitting the doubt gate")
        inputs, ledger = self.inputs, self.inputs.predictions.ledger
        rows = sample_rows(ledger, MOST_ROWS)
        requests = [self._columns, *(member.request for member in inputs.members.values())]
        request = next(each for each in requests if each is not None and each.key == self._doubted)
        place, cache = self._parts.places[self._doubted], inputs.store.feature_cache
        columns = training_columns(request, place, self._own, inputs.pixels, rows, cache)
        return fit_gates(columns, ledger.folds[rows], ledger.n_folds)

    @cached_property
    def template(self) -> Template | None:
        """Where the faces of the training photographs lie; None where that is nowhere in common."""
        self.status.start("measuring where the faces of the training photographs lie")
        rows = sample_rows(self.inputs.predictions.ledger, _FACES)
        try:
            return Template.measure(np.asarray(self.inputs.pixels[rows]), FaceFinder(self.cores))
        except FacesNotAvailable as error:
            self.status.start(f"photographs of other sizes will be refused: {error}")
            return None

    @cached_property
    def _models(self) -> Models:
        inputs = self.inputs
        models = export_models(inputs.store, list(inputs.members.values()), inputs.size, self.status.start)
        if self._columns:
            add_features(models, self._columns.key, self._columns.recipe, inputs.size)
        return models

    def _parts_of(self, names: Sequence[str]) -> EnsembleParts:
        columns = None if self._columns is None else self._columns.key
        return self._models.parts(names, blend=self.inputs.blend, columns=columns)

    @cached_property
    def _parts(self) -> EnsembleParts:
        return self._parts_of(self.inputs.names)

    @cached_property
    def _own(self) -> BundledEnsemble:
        return BundledEnsemble(self._parts, self._models.content, "the store", self.cores)

    @cached_property
    def _doubted(self) -> str | None:
        """The key of the features that the gate reads: of fixed networks if there are any, the most columns.

        Measured on faces: the more finely a network looks, the more altered photographs the gate singles out.
        """
        places, features = self._parts.places, self._parts.features
        networks = [key for key, place in places.items() if features[place].reader == "embedding"]
        one = np.asarray(self.inputs.pixels[np.arange(1)])
        widths = {key: self._own.columns(places[key], one).shape[1] for key in networks or places}
        return max(widths, key=widths.__getitem__, default=None)

    @property
    def _doubt(self) -> Doubt | None:
        if self.gates is None or self._doubted is None:
            return None
        place, threshold = self._parts.places[self._doubted], self.gates.threshold
        return Doubt(features=place, threshold=threshold, held_out_share=HELD_OUT_SHARE, folder=DOUBT_FOLDER)

    def _manifest(self, parts: EnsembleParts, verdicts: Verdicts, milliseconds: float) -> Manifest:
        """Return the manifest, without files."""
        inputs = self.inputs
        return Manifest(
            schema_number=SCHEMA,
            name=inputs.experiment.name,
            created=time.strftime("%Y-%m-%d", time.gmtime()),
            versions=versions(),
            synthetic=bool(inputs.manifest["synthetic"]),
            size=inputs.size,
            template=self.template and self.template.to_json(),
            scope=SCOPE,
            features=tuple(parts.features),
            members=tuple(parts.members),
            blend=parts.blend,
            scores=Scores.model_validate(inputs.manifest["nested"]),
            prior=float((inputs.predictions.ledger.labels == 1).mean()),
            verdicts=verdicts,
            doubt=parts.doubt,
            spectra=self._spectra(),
            milliseconds=milliseconds,
            store={key: inputs.manifest[key] for key in ("data_sha256", "folds_sha256", "submission_sha256")},
            files={},
        )

    def _spectra(self) -> Spectra | None:
        """Return the mean spectra of the classes, if the store has them."""
        inputs, recipe = self.inputs, self.inputs.experiment.report.spectra
        stored = read_columns(inputs.store, inputs.predictions.ledger, recipe, SPECTRA)
        if stored is None:
            return None
        frequencies = np.asarray(build(recipe).frequencies, dtype=np.float64)
        means, bands = curves_of_classes(stored[0][:, : len(frequencies)], inputs.predictions.ledger.labels)
        return Spectra(
            frequencies=tuple(frequencies.tolist()),
            real=means["real"],
            fake=means["fake"],
            real_range=bands["real"],
            fake_range=bands["fake"],
        )

    def _milliseconds(self, parts: EnsembleParts, content: Content) -> float:
        """Measure what a photograph costs on one thread, decoded already.

        The parts are read from the files to be written; that they answer as those that were measured is checked.
        """
        self.status.start("measuring the time that a photograph takes")
        pixels = np.asarray(self.inputs.pixels[np.arange(_TIMED)])
        tables = self._own.tables(pixels)
        with threads(1):
            finished = BundledEnsemble(parts, content, "the bundle", 1)
            finished(pixels[:2])
            begun = time.perf_counter()
            found = finished(pixels)
            seconds = time.perf_counter() - begun
        np.testing.assert_allclose(found.members, self._own.members(pixels, tables), atol=1e-4)
        if self.gates is not None and parts.doubt is not None:
            np.testing.assert_allclose(found.doubt, self.gates.gate(tables[parts.doubt.features]), rtol=1e-4)
        return 1000 * seconds / len(pixels)
