"""One bundle from start to end: models, gate, limits and rates, a check against the store, and the files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from ensemble.blend.blenders.restored import restored
from ensemble.core.console.status import StatusLine
from ensemble.core.console.text import plural
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.threads import threads
from ensemble.engine.recipes.code import code_version, framework_code, versions
from ensemble.engine.tasks.features import TableRequest
from ensemble.predict.bundle.files import Content
from ensemble.predict.bundle.manifest import CARD, SCHEMA, Doubt, Manifest, Scope, Scores, Verdicts
from ensemble.predict.bundle.readers import READERS
from ensemble.predict.bundled_ensemble import BundledEnsemble, EnsembleParts
from ensemble.predict.doubt import DOUBT
from ensemble.predict.faces.mtcnn import FaceFinder, FacesNotAvailable
from ensemble.predict.faces.template import Template
from ensemble.predict.making.card import card_of
from ensemble.predict.making.check import TOLERANCE, check_against_store, check_held_out
from ensemble.predict.making.gate import HELD_OUT_SHARE, MOST_ROWS, Gates, fit_gates, training_columns
from ensemble.predict.making.held_out import HeldOut, HeldOutAnswers, held_out_models
from ensemble.predict.making.inputs import StoreInputs
from ensemble.predict.making.models import Models, add_features, export_models
from ensemble.predict.making.rates import verdicts_of
from ensemble.predict.making.spectra import mean_spectra
from ensemble.predict.making.unfinished import UnfinishedAnswers
from ensemble.predict.making.variants import LARGEST_ANGLE, LARGEST_SCALE, LOWEST_QUALITY, VARIANTS, Variant
from ensemble.predict.making.writing import check_sizes, files_of, write_bundle
from ensemble.predict.photographs.preparing import Preparation
from ensemble.stress.robustness.sample import sample_rows

SCOPE: Final = Scope(lowest_quality=LOWEST_QUALITY, largest_scale=LARGEST_SCALE, largest_angle=LARGEST_ANGLE)
DOUBT_FOLDER: Final = "doubt"
_OF_THE_BLEND: Final = (  # keys of blend.json; others, such as seconds, differ from run to run
    "members", "without", "chosen", "elected", "decision_rule", "elected_rules", "blender", "decision",
    "columns_sha256", "predictions_sha256", "data_sha256", "folds_sha256",
)  # fmt: skip
_TIMED: Final = 16  # photographs
_FACES: Final = 256  # training photographs whose faces are measured


class BundleMaker:
    """Builder of a bundle from a store, step by step; each step is done when it is first needed.

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
        self._columns = None if recipe is None else TableRequest(recipe)

    def make(self, path: Location) -> Manifest:
        """Measure, and write the bundle."""
        unfinished = UnfinishedAnswers(path, self.made_from) if isinstance(path, Path) else None
        check_sizes(self._models.content_of(self._parts))
        with threads(self.cores):
            difference = check_against_store(self._ensemble, self.inputs)
            self.status.start(f"the models agree with the store to {difference:.0e}")
            first = self.answers(VARIANTS[:1])  # kept by nobody, since they are checked
            check_held_out(first[0], self.inputs)
            if warning := self._held_out.warning_of_files(self.inputs.competition.encoded):
                self.status.start(warning)
            verdicts = verdicts_of([*first, *self.answers(VARIANTS[1:], unfinished)])
        parts, content = replace(self._parts, doubt=self._doubt), self._models.content_of(self._parts)
        if self.gates is not None:
            content[DOUBT_FOLDER] = {DOUBT: self.gates.gate.to_bytes()}
        manifest = self._manifest(parts, verdicts, self._milliseconds(parts, content))
        content[""] = {CARD: card_of(self.inputs.store, manifest, is_the_blend=self.inputs.is_the_blend).encode()}
        manifest = manifest.model_copy(update={"files": files_of(content)})
        write_bundle(path, manifest, content)
        if unfinished:
            unfinished.remove()
        return manifest

    def answers(self, variants: Sequence[Variant], unfinished: UnfinishedAnswers | None = None) -> list[HeldOutAnswers]:
        """Return what is answered about variants of a sample of held-out photographs."""
        possible = [variant for variant in variants if self.template is not None or not variant.aligned]
        known = {each.name: unfinished.read(each) for each in possible} if unfinished else {}
        found = {name: answers for name, answers in known.items() if answers is not None}
        step = (
            f"predicting {plural(len(self._held_out.rows), 'held-out photograph')}, {plural(len(possible), 'variant')}"
        )
        self.status.start(f"{step}, {len(found)} of which are there" if found else step, len(found) / len(possible))
        for variant in possible:
            if variant.name not in found:
                update = partial(self._update, len(found), len(possible))
                found[variant.name] = answers = self._held_out.answers(variant, update)
                if unfinished:
                    unfinished.write(answers)
        return [found[variant.name] for variant in possible]

    def _update(self, done: int, total: int, part: float) -> None:
        self.status.update((done + part) / total)

    @property
    def made_from(self) -> list[Any]:
        """What answers about held-out photographs depend on, as JSON values."""
        inputs, template = self.inputs, self.template
        return [
            {name: code_version(path) for name, path in READERS.items()},
            framework_code(),
            versions(),
            {key: inputs.manifest.get(key) for key in _OF_THE_BLEND},
            list(inputs.manifest["blenders"]),
            inputs.experiment.blend.model_dump(mode="json"),
            [member.signature for member in inputs.members.values()],
            self._columns and self._columns.key,
            template and template.to_json(),
            self.photographs,
        ]

    @cached_property
    def _held_out(self) -> HeldOut:
        inputs, ledger = self.inputs, self.inputs.predictions.ledger
        rows = sample_rows(ledger, self.photographs)
        rows = rows[inputs.honest.part_of[rows] >= 0]
        return HeldOut(
            self._ensemble,
            Preparation(inputs.size, self.template, SCOPE),
            inputs.honest,
            list(inputs.members),
            rows,
            ledger.labels[rows],
            ledger.folds[rows],
            [held_out_models(inputs.store, inputs.predictions, name)[rows] for name in inputs.members],
            np.asarray(inputs.pixels[rows]),
            self.gates,
            None if self._gate_features is None else self._all_parts.indices[self._gate_features],
            self._all_parts.blend.columns,
        )

    @cached_property
    def gates(self) -> Gates | None:
        """The doubt gate, and one for each fold."""
        if self._gate_features is None:
            return None
        self.status.start("fitting the doubt gate")
        inputs, ledger = self.inputs, self.inputs.predictions.ledger
        rows = sample_rows(ledger, MOST_ROWS)
        requests = [self._columns, *(member.request for member in inputs.members.values())]
        request = next(each for each in requests if each is not None and each.key == self._gate_features)
        index, cache = self._all_parts.indices[self._gate_features], inputs.store.feature_cache
        columns = training_columns(request, index, self._ensemble, inputs.pixels, rows, cache)
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
            try:
                add_features(models, self._columns.key, self._columns.recipe, inputs.size)
            except ValueError as error:
                raise UserError(
                    f"the columns of blend.columns cannot be kept in a bundle: {' '.join(str(error).split())}; take "
                    "them out of the config, blend, then bundle again"
                ) from None
        return models

    def _parts_of(self, names: Sequence[str]) -> EnsembleParts:
        columns = None if self._columns is None else self._columns.key
        return self._models.parts(names, blend=self.inputs.blend, columns=columns)

    @cached_property
    def _parts(self) -> EnsembleParts:
        """Parts of the bundle's ensemble."""
        return self._parts_of(self.inputs.names)

    @cached_property
    def _all_parts(self) -> EnsembleParts:
        """Parts that held-out photographs need, of all members."""
        return self._parts_of(list(self.inputs.members))

    @cached_property
    def _ensemble(self) -> BundledEnsemble:
        return BundledEnsemble(self._all_parts, self._models.content, "the store", self.cores)

    @cached_property
    def _gate_features(self) -> str | None:
        """The key of the features that the gate reads: of frozen networks if there are any, the most columns.

        Measured on faces: the more finely a network looks, the more altered photographs the gate singles out.
        """
        readers, indices = self._models.features, self._all_parts.indices
        networks = [key for key in self._parts.indices if readers[key].reader == "embedding"]
        one = np.asarray(self.inputs.pixels[np.arange(1)])
        widths = {key: self._ensemble.columns(indices[key], one).shape[1] for key in networks or self._parts.indices}
        return max(widths, key=widths.__getitem__, default=None)

    @property
    def _doubt(self) -> Doubt | None:
        if self.gates is None or self._gate_features is None:
            return None
        index, threshold = self._parts.indices[self._gate_features], self.gates.threshold
        return Doubt(features=index, threshold=threshold, held_out_share=HELD_OUT_SHARE, folder=DOUBT_FOLDER)

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
            spectra=mean_spectra(inputs),
            milliseconds=milliseconds,
            store={key: inputs.manifest[key] for key in ("data_sha256", "folds_sha256", "submission_sha256")},
            files={},
        )

    def _milliseconds(self, parts: EnsembleParts, content: Content) -> float:
        """Measure what a photograph costs on one thread, decoded already.

        The parts are read from the files to be written; that they answer as those that were measured is checked.
        """
        self.status.start("measuring the time that a photograph takes")
        pixels = np.asarray(self.inputs.pixels[np.arange(min(_TIMED, len(self.inputs.pixels)))])
        tables = self._ensemble.tables(pixels)
        members = dict(zip(self.inputs.members, self._ensemble.members(pixels, tables).T, strict=True))
        with threads(1):
            finished = BundledEnsemble(parts, content, "the bundle", 1)
            finished(pixels[:2])
            begun = time.perf_counter()
            found = finished(pixels)
            seconds = time.perf_counter() - begun
        same = np.allclose(found.members.T, [members[name] for name in self.inputs.names], rtol=0, atol=TOLERANCE)
        if self.gates is not None and self._gate_features is not None:
            columns = tables[self._all_parts.indices[self._gate_features]]
            same &= np.allclose(found.doubt, self.gates.gate(columns), rtol=TOLERANCE)
        if not same:
            raise UserError(
                "the bundle predicts otherwise than the models that were measured; if a package was updated "
                "meanwhile, run ensemble bundle again"
            )
        return 1000 * seconds / len(pixels)
