"""More labelled photographs arrive: folds stay as they are, and members whose models are stored predict the new ones.

A fold's model has not seen the new photographs of its fold, so its predictions of them are out-of-fold as they are. It
has not learned from those of the other folds either: for that it is to be trained again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Array
from ensemble.core.console.durations import format_duration
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import first_few, plural
from ensemble.core.errors import UserError
from ensemble.core.storage.array_file import ArrayFile
from ensemble.core.storage.files import Location, folder_content
from ensemble.core.storage.lock import only_writer
from ensemble.engine.base import Engine
from ensemble.engine.choose import engine_maker
from ensemble.engine.tasks.fold import FoldResult
from ensemble.folds.extend import extended
from ensemble.folds.ledger import FoldLedger
from ensemble.grow.inference import Inference
from ensemble.store.context import RunContext
from ensemble.store.grown import TUNE, Growth, all_searches
from ensemble.store.oof import OofStore
from ensemble.store.opening import begin_store, groups_of, has_folds, read_photograph_hashes
from ensemble.store.predictions import load_predictions
from ensemble.store.record import LATER_ARRIVED, FoldRecord
from ensemble.store.replacing import replace_store, successor
from ensemble.store.stored_members import StoredMember, find_stored_members
from ensemble.training.plan import provenance_of
from ensemble.training.speeds import speeds_of


@dataclass(frozen=True)
class _Update:
    """What is updated: the store, the old folds, the competition with more photographs, and the new folds."""

    store: OofStore
    experiment: Experiment
    competition: Competition
    before: FoldLedger
    ledger: FoldLedger

    @cached_property
    def new_rows(self) -> NDArray[np.intp]:
        """Rows of the ledger that the old one has not."""
        return np.flatnonzero(~self.ledger.table["name"].isin(self.before.table["name"]))


def update(store: OofStore, data: Location, engine_name: str, again: Collection[str] = ()) -> None:
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
        An old photograph, a label or the test set has changed, or there is nothing new; or somebody else writes to
        the store.
    """
    make_engine, board = engine_maker(engine_name), ProgressBoard()
    with _nobody_else_writes(store):
        experiment, grown = _experiment_of(store, again), bool(Growth.read(store).steps)
        competition, before = Competition.open(data, experiment.data), store.ledger()
        for line in competition.lines():
            board.log(line)
        _check_old(store, before, competition)
        pixels = competition.decode()
        found = _Update(store, experiment, competition, before, _extended(before, competition, pixels, board))
        with make_engine() as engine:
            kept, left_out = _what_is_kept(found, engine, again)
            _log_costs(found, kept, left_out, board)
            context = RunContext(competition, found.ledger, store, engine, board)
            inference = Inference(context, pixels.take(found.new_rows), found.ledger.folds[found.new_rows])
            answers = inference.run(list(kept.values()))
        _write_successor(found, kept, answers)
        replace_store(store)
    board.log(
        f"{store.root} contains all photographs now; the old store, with its blend, searches and further cuts of the "
        f"folds, was renamed to {store.name}~..."
    )
    command = "ensemble grow" if grown else "ensemble train"
    board.log(f"next: {command} with the same config and the new data, which trains what was not kept")


@contextmanager
def _nobody_else_writes(store: OofStore) -> Iterator[None]:
    """Hold all locks of a store: it will be renamed."""
    with ExitStack() as locks:
        for what in ("train", "blend", "robustness", *(f"{TUNE}-{member}" for member in all_searches(store))):
            locks.enter_context(only_writer(store.root, what))
        yield


def _experiment_of(store: OofStore, again: Collection[str]) -> Experiment:
    """Return what the store was last trained for, on its first cut of the folds."""
    experiment = store.experiment()
    unknown = sorted(set(again) - {member.name for member in experiment.members})
    if unknown:
        raise UserError(
            f"--again: there is no member {unknown[0]}; members: {', '.join(m.name for m in experiment.members)}"
        )
    if experiment.data.on_size_mismatch == "crop":
        raise UserError(
            f"{store.root} was trained on photographs that were cropped to the smallest size, and a new one may "
            "be smaller; train a new experiment instead"
        )
    return experiment.on_first_cut()


def _check_old(store: OofStore, before: FoldLedger, competition: Competition) -> None:
    """Refuse data in which something old has changed."""
    table, old, recorded = competition.train, before.table.set_index("name"), read_photograph_hashes(store)
    labels = dict(zip(table.names, table.labels, strict=True))
    new_rows = {row for row, name in enumerate(table.names) if name not in old.index}
    gone = sorted(set(old.index) - set(labels))
    other = sorted(name for name in old.index if name in labels and labels[name] != old.loc[name, "label"])
    changed = sorted(name for name, sha in recorded.items() if competition.contents.get(name, sha) != sha)
    for names, what in (
        (gone, "no longer there"),
        (other, "labelled differently"),
        (changed, "a different photograph"),
    ):
        if names:
            raise UserError(f"{competition.source}: {first_few(names)}: {what}; train a new experiment instead")
    if not recorded:
        raise UserError(
            f"{store.root} has no hashes of its photographs, so changes would not be noticed; train a new "
            "experiment instead"
        )
    if _sample(store.facts()["sample"]) != _sample(competition.sample.facts()):
        raise UserError(f"{competition.source}: the sample submission has changed; train a new experiment instead")
    if competition.sha256_with(table.without(new_rows)) != store.facts()["sha256"]:
        raise UserError(f"{competition.source}: groups of old photographs have changed; train a new experiment instead")
    if len(labels) == len(old):
        raise UserError(
            f"{competition.source} has no photographs that are new to {store.root}; there is nothing to update"
        )


def _sample(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a sample without the share of fakes, which rows of unreadable photographs have."""
    return {**facts, "fixed": sorted(facts.get("fixed", {}))}


def _extended(before: FoldLedger, competition: Competition, pixels: ArrayFile, board: ProgressBoard) -> FoldLedger:
    table, groups = competition.train, groups_of(competition, pixels, before.distance)
    ledger, torn = extended(before, table.names, table.labels, groups)
    if torn:
        board.log(f"{first_few(torn)}: like old photographs of several folds, which may help to recognise them")
    sizes = ", ".join(str(len(ledger.heldout(fold)) - len(before.heldout(fold))) for fold in range(ledger.n_folds))
    added = len(ledger.table) - len(before.table)
    board.log(f"{plural(added, 'new photograph')}; the old folds stay, and get {sizes} more")
    return ledger


def _what_is_kept(
    found: _Update, engine: Engine, again: Collection[str]
) -> tuple[dict[str, StoredMember], dict[str, str]]:
    """Return the members whose models predict the new photographs, and for the others why they cannot."""
    store, members = found.store, found.experiment.members
    able, unable = engine.fit_to_hardware(members)
    if not has_folds(store):
        return {}, {}
    kept, left_out = find_stored_members(store, able, load_predictions(store, found.experiment))
    learned = [member.name for member in members if member.pseudo_labels is not None]
    left_out |= unable | dict.fromkeys(learned, "it has learned test photographs, which new ones may be copies of")
    left_out |= _of_other_code(store, kept) | dict.fromkeys(again, "by request")
    return {name: member for name, member in kept.items() if name not in left_out}, left_out


def _of_other_code(store: OofStore, kept: dict[str, StoredMember]) -> dict[str, str]:
    """Return members whose code has changed since they were trained: what it would predict today nobody knows."""
    records = {(name, fold): store.record(name, fold) for name, member in kept.items() for _, fold in member.checksums}
    return {
        name: "its code has changed since"
        for (name, _), record in records.items()
        if record is None or record.provenance.code != kept[name].code
    }


def _log_costs(found: _Update, kept: dict[str, StoredMember], left_out: dict[str, str], board: ProgressBoard) -> None:
    """Log what is kept, what must be trained again, and what that costs."""
    more = len(found.ledger.table) / len(found.before.table)
    speeds = speeds_of(found.store, list(left_out), found.before.n_folds)
    for member in kept.values():
        seconds = len(found.new_rows) * (member.seconds_features + member.seconds_predict)
        board.log(
            f"  {member.name}: kept, its models predict the new photographs without having learned from them, about "
            f"{format_duration(seconds)}"
        )
    imported = found.store.imported()
    for name in imported:
        board.log(f"  {name}: was trained elsewhere; train it there on the new folds, and import it again")
    for name, reason in left_out.items():
        if name in imported:
            continue
        fold = speeds.fold(name) if speeds.known(name) else 0.0
        seconds = more * fold * found.before.n_folds + speeds.photograph(name) * len(found.new_rows)
        cost = f", about {format_duration(seconds)} of one CPU" if seconds else ""
        board.log(f"  {name}: to be trained again ({reason}){cost}")
    if (cuts := found.store.experiment().folds.repeats - 1) > 0:
        every = speeds_of(found.store, [*kept, *left_out], found.before.n_folds)
        seconds = more * cuts * found.before.n_folds * sum(map(every.fold, filter(every.known, [*kept, *left_out])))
        board.log(
            f"  {plural(cuts, 'further cut')} of the folds: to be trained again, all members, about "
            f"{format_duration(seconds)} of one CPU"
        )


def _write_successor(found: _Update, kept: dict[str, StoredMember], answers: dict[tuple[str, int], Array]) -> None:
    """Write the store of all photographs."""
    store, competition, made = found.store, found.competition, successor(found.store)
    begin_store(made, store.experiment(), found.ledger, competition)
    for name, member in kept.items():
        provenance = provenance_of(member.member, found.ledger, competition)
        for fold in range(found.ledger.n_folds):
            record = store.record(name, fold)
            assert record is not None  # noqa: S101  it is a stored member's
            result = _result(found, record, answers.get((name, fold), np.empty(0)))
            try:
                made.write(result, provenance, found.ledger, competition.sample, record.seconds_features_per_photograph)
            except OSError as error:
                raise UserError(f"{made.root}: {error.strerror or error}; run the same command again") from None


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
    folder = store.model_folder(record.member, fold)
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
        model=folder_content(folder),
        model_note=record.model_note or f"learned from {learned:,} photographs, {LATER_ARRIVED}",
        history=record.history,
    )
