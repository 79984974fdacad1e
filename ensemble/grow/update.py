"""More labelled photographs arrive: folds stay as they are, and members whose models are stored predict the new ones.

A fold's model has not seen the new photographs of its fold, so its predictions of them are out-of-fold as they are. It
has not learned from those of the other folds either: for that it is to be trained again.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Array, Pixels
from ensemble.core.console.durations import format_duration
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import first_few, plural
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, files_below, local_copy, move_folder, remove_folder
from ensemble.core.storage.lock import only_writer
from ensemble.engine.choose import engine_maker
from ensemble.engine.features.table import FeatureTable, Photographs
from ensemble.engine.features.tables import FeatureTables
from ensemble.engine.pipeline import Pipeline
from ensemble.engine.recipes.code import recipe_code
from ensemble.engine.tasks.base import Outcome
from ensemble.engine.tasks.failures import Failure
from ensemble.engine.tasks.fold import FoldResult
from ensemble.engine.tasks.inference import InferenceTask, StoredModel
from ensemble.folds.extend import extended
from ensemble.folds.ledger import FoldLedger
from ensemble.folds.near_duplicates import near_duplicate_groups
from ensemble.store.context import RunContext
from ensemble.store.oof import STORE_MARKERS, OofStore
from ensemble.store.opening import begin_store, read_photograph_hashes
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.record import FoldRecord, Provenance
from ensemble.stress.robustness.stored_members import StoredMember, find_stored_members
from ensemble.training.speeds import speeds_of

_NEW = "new photographs"  # key of the shared array
_UNFINISHED = "~update"


@dataclass(frozen=True)
class _Update:
    """What is updated: the store, the old folds, the competition with more photographs, and the new folds."""

    store: OofStore
    experiment: Experiment
    competition: Competition
    before: FoldLedger
    ledger: FoldLedger
    predictions: Predictions

    @property
    def new_rows(self) -> NDArray[np.intp]:
        """Rows of the ledger that the old one has not."""
        old = set(self.before.table["name"])
        return np.array([row for row, name in enumerate(self.ledger.table["name"]) if name not in old], dtype=np.intp)


def update(
    store: OofStore, experiment: Experiment, data: Location, engine_name: str, again: Collection[str] = ()
) -> None:
    """Replace a store by one of more labelled photographs; the old one is kept beside it.

    Parameters
    ----------
    data : path
        The competition with all photographs, old and new.
    again : collection of str
        Members that are not kept, so that `ensemble train` trains them on all photographs.

    Raises
    ------
    UserError
        An old photograph, a label or the test set has changed, or there is nothing new.
    """
    make_engine, board = engine_maker(engine_name), ProgressBoard()
    unknown = sorted(set(again) - {member.name for member in experiment.members})
    if unknown:
        raise UserError(f"--again: there is no member {unknown[0]}")
    once = experiment.model_copy(update={"folds": experiment.folds.model_copy(update={"repeats": 1})})
    with only_writer(store.root, "train"):
        competition, before = Competition.open(data, experiment.data), store.ledger()
        _check_old(store, before, competition)
        pixels = competition.decode()
        ledger = _extended(before, competition, pixels, experiment, board)
        found = _Update(store, once, competition, before, ledger, load_predictions(store, once))
        with make_engine() as engine:
            able, unable = engine.fit_to_hardware([m for m in once.members if m.name not in again])
            kept, left_out = find_stored_members(store, able, found.predictions)
            left_out |= unable | dict.fromkeys(again, "by request") | _of_other_code(store, kept)
            kept = {name: member for name, member in kept.items() if name not in left_out}
            _say_costs(found, kept, left_out, board)
            context = RunContext(competition, ledger, store, engine, board)
            answers = _Inference(context, pixels.take(found.new_rows), found).run(list(kept.values()))
        _replace(found, kept, answers)
    board.log(
        f"{store.root} is of all photographs now; the old one, with its blend, searches and further cuts of the folds, "
        f"is beside it, {store.name}~..."
    )
    board.log("next: ensemble train with the same config and the new data, which trains what was not kept")


def _check_old(store: OofStore, before: FoldLedger, competition: Competition) -> None:
    """Refuse data in which something old has changed."""
    table, was, now = competition.train, before.table.set_index("name"), read_photograph_hashes(store)
    labels = dict(zip(table.names, table.labels, strict=True))
    gone = sorted(set(was.index) - set(labels))
    other = sorted(name for name in was.index if name in labels and labels[name] != was.loc[name, "label"])
    changed = sorted(name for name, sha in now.items() if competition.contents.get(name, sha) != sha)
    for names, what in ((gone, "no longer there"), (other, "labelled otherwise"), (changed, "another picture")):
        if names:
            raise UserError(f"{competition.source}: {first_few(names)}: {what}; train a new experiment instead")
    if store.facts()["sample"] != competition.sample.facts():
        raise UserError(f"{competition.source}: the sample submission has changed; train a new experiment instead")
    if len(labels) == len(was):
        raise UserError(f"{competition.source} has no photographs that {store.root} has not")


def _extended(
    before: FoldLedger, competition: Competition, pixels: Pixels, experiment: Experiment, board: ProgressBoard
) -> FoldLedger:
    table, distance = competition.train, experiment.folds.near_duplicate_distance
    groups = near_duplicate_groups(table.names, pixels.take(np.arange(len(table.names))), table.groups, distance)
    ledger, torn = extended(before, table.names, table.labels, groups)
    if torn:
        board.log(f"{first_few(torn)}: like old photographs of several folds, which may help to recognise them")
    sizes = ", ".join(str(len(ledger.heldout(fold)) - len(before.heldout(fold))) for fold in range(ledger.n_folds))
    added = len(ledger.table) - len(before.table)
    board.log(f"{plural(added, 'new photograph')}; the old folds stay, and get {sizes} more")
    return ledger


def _of_other_code(store: OofStore, kept: dict[str, StoredMember]) -> dict[str, str]:
    """Return members whose code has changed since they were trained: what it would predict today nobody knows."""
    records = {(name, fold): store.record(name, fold) for name, member in kept.items() for fold in member.checksums}
    return {
        name: "its code has changed since"
        for (name, _), record in records.items()
        if record is None or record.provenance.code != kept[name].code
    }


def _say_costs(found: _Update, kept: dict[str, StoredMember], left_out: dict[str, str], board: ProgressBoard) -> None:
    """Say what is kept, what must be trained again, and what that costs."""
    more = len(found.ledger.table) / len(found.before.table)
    speeds = speeds_of(found.store, list(left_out), found.before.n_folds)
    for member in kept.values():
        seconds = len(found.new_rows) * (member.seconds_features + member.seconds_predict)
        board.log(
            f"  {member.name}: kept, its models predict the new photographs without having learned from them, about "
            f"{format_duration(seconds)}"
        )
    for name in found.store.imported():
        board.log(f"  {name}: was trained elsewhere; train it there on the new folds, and import it again")
    for name, reason in left_out.items():
        if name in found.store.imported():
            continue
        fold = speeds.fold(name) if speeds.known(name) else 0.0
        seconds = more * fold * found.before.n_folds + speeds.photograph(name) * len(found.new_rows)
        cost = f", about {format_duration(seconds)} of one CPU" if seconds else ""
        board.log(f"  {name}: to be trained again ({reason}){cost}")


class _Inference:
    """Applies each fold's model to the new photographs of the fold."""

    def __init__(self, context: RunContext, pixels: Pixels, found: _Update) -> None:
        self._context, self._found = context, found
        self._photographs = Photographs(pixels, _NEW)
        self._folds = found.ledger.folds[found.new_rows]
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
            raise UserError(f"{member.name}: its features raised {found.cause}; name it with --again")
        self._submit(member, found.name)

    def _submit(self, member: StoredMember, table: str) -> None:
        tasks = []
        for fold in member.checksums:
            folder = self._copies.enter_context(local_copy(member.model_folder(self._found.store, fold)))
            model = StoredModel(member.member, fold, member.code, str(folder))
            tasks.append(InferenceTask(model, table, np.flatnonzero(self._folds == fold), _NEW))
        self._pipeline.submit([task for task in tasks if len(task.rows)], self._model_done)

    def _model_done(self, outcome: Outcome) -> None:
        task = outcome.task
        assert isinstance(task, InferenceTask)  # noqa: S101  no others were submitted
        name = task.model.member.name
        if outcome.failure:
            raise UserError(f"{name}: its model raised {outcome.failure.cause}; name it with --again")
        self._answers[name, task.model.fold] = outcome.value


def _replace(found: _Update, kept: dict[str, StoredMember], answers: dict[tuple[str, int], Array]) -> None:
    """Write the store of all photographs, then put it in the place of the old one."""
    store, competition = found.store, found.competition
    made = OofStore(store.root.with_name(f"{store.name}{_UNFINISHED}"), store.feature_cache)
    if made.root.exists():  # of an update that was interrupted
        remove_folder(made.root)
    begin_store(made, store.experiment(), found.ledger, competition)
    for name, member in kept.items():
        recipe = member.member.recipe
        provenance = Provenance(recipe, found.ledger.sha256, competition.sha256, recipe_code(recipe))
        for fold in range(found.ledger.n_folds):
            record = store.record(name, fold)
            assert record is not None  # noqa: S101  it is a stored member's
            result = _result(found, record, answers.get((name, fold), np.empty(0)))
            made.write(result, provenance, found.ledger, competition.sample, record.seconds_features_per_photograph)
    aside = store.root.with_name(f"{store.name}~{time.strftime('%Y%m%d-%H%M%S')}")
    move_folder(store.root, aside, *STORE_MARKERS)
    move_folder(made.root, store.root, *STORE_MARKERS)


def _result(found: _Update, record: FoldRecord, new: Array) -> FoldResult:
    """Return a stored fold with its predictions of new photographs."""
    store, fold = found.store, record.fold
    table = store.predictions(record)
    assert table is not None  # noqa: S101  it was loaded before
    frame = table.to_pandas()
    known = dict(zip(*(frame.loc[frame["split"] == "oof", column] for column in ("name", "pred")), strict=True))
    names = found.ledger.table["name"].to_numpy()
    rows = found.new_rows[found.ledger.folds[found.new_rows] == fold]
    known |= dict(zip(names[rows], new, strict=True))
    test = frame[frame["split"] == "test"].set_index("name").loc[list(found.competition.sample.names), "pred"]
    folder = store.fold_folder(record.member, fold) / "model"
    learned = len(found.before.training(fold))
    return FoldResult(
        member=record.member,
        fold=fold,
        heldout=np.array([known[name] for name in names[found.ledger.heldout(fold)]]),
        test=test.to_numpy(),
        seconds_fit=record.seconds_fit,
        seconds_predict=record.seconds_predict,
        started=record.started,
        finished=record.finished,
        peak_memory_mib=record.peak_memory_mib,
        threads=record.threads,
        versions=record.versions,
        model={name: read() for name, _, read in files_below(folder, lambda _: True)},
        model_note=f"learned from {learned:,} photographs, before others arrived",
        history=record.history,
    )
