"""Stored models applied to photographs that none of them has seen: each fold's to those of the fold."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Final

import numpy as np

from ensemble.core.arrays import Array, Folds, Pixels
from ensemble.core.errors import UserError
from ensemble.core.storage.files import local_copy
from ensemble.engine.features.table import FeatureTable, Photographs
from ensemble.engine.features.tables import FeatureTables
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.tasks.base import Outcome
from ensemble.engine.tasks.failures import Failure
from ensemble.engine.tasks.inference import InferenceTask, StoredModel
from ensemble.store.context import RunContext
from ensemble.store.stored_members import StoredMember

_NEW: Final = "new photographs"  # key of the shared array


class Inference:
    """One run.

    Parameters
    ----------
    context : RunContext
        With the store of the models.
    pixels : uint8 array (photographs, height, width, 3)
        New photographs.
    folds : int64 array (photographs,)
        That hold them out.
    """

    def __init__(self, context: RunContext, pixels: Pixels, folds: Folds) -> None:
        self._context, self._folds = context, folds
        self._photographs = Photographs(pixels, _NEW)
        self._pipeline = Pipeline(context.engine, context.board)
        self._tables = FeatureTables(self._pipeline, context.store.feature_cache)
        self._copies = ExitStack()
        self._answers: dict[tuple[str, int], Array] = {}

    def run(self, members: list[StoredMember]) -> dict[tuple[str, int], Array]:
        """Return the probabilities of fake of a fold's new photographs, by member and fold.

        Raises
        ------
        UserError
            A model or its features failed.
        """
        self._context.engine.share(_NEW, self._photographs.pixels)
        with self._copies:
            for member in members:
                if member.request is None:
                    self._submit(member, _NEW)
                else:
                    self._tables.request(member.request, self._photographs, partial(self._table_done, member))
            self._pipeline.run()
        return self._answers

    def _table_done(self, member: StoredMember, found: FeatureTable | Failure) -> None:
        if isinstance(found, Failure):
            raise UserError(
                f"{member.name}: its features raised {found.cause}; to train it again instead, give --again "
                f"{member.name}"
            )
        self._submit(member, found.name)

    def _submit(self, member: StoredMember, table: str) -> None:
        tasks = []
        for cut, fold in member.checksums:  # of the first cut alone: further ones are trained again
            folder = self._copies.enter_context(local_copy(self._context.store.model_folder(member.name, fold)))
            model = StoredModel(member.member, cut, fold, member.code, str(folder))
            tasks.append(InferenceTask(model, table, np.flatnonzero(self._folds == fold), _NEW))
        self._pipeline.submit([task for task in tasks if len(task.rows)], self._model_done)

    def _model_done(self, outcome: Outcome) -> None:
        task = outcome.task
        assert isinstance(task, InferenceTask)  # noqa: S101  no others were submitted
        name = task.model.member.name
        if outcome.failure:
            raise UserError(
                f"{name}: its model raised {outcome.failure.cause}; to train it again instead, give --again {name}"
            )
        self._answers[name, task.model.fold] = outcome.value
