"""One inquiry from beginning to end: what is missing is asked, what is kept is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.config import Experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.status import Progress
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, remove_unfinished
from ensemble.core.storage.lock import only_writer
from ensemble.engine.base import Engine
from ensemble.engine.choose import engine_maker
from ensemble.engine.features.table import features_key
from ensemble.store.oof import OofStore
from ensemble.store.opening import competition_of
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.results import AS_THEY_ARE, ROBUSTNESS, current_manifest
from ensemble.stress.robustness.alterations import ALTERATIONS
from ensemble.stress.robustness.asking import COLUMNS, Asking
from ensemble.stress.robustness.honest_blend import fit_honest_blend
from ensemble.stress.robustness.kept import Kept, Sample, Trouble
from ensemble.stress.robustness.results import Inquiry, write_results
from ensemble.stress.robustness.sample import PHOTOGRAPHS
from ensemble.stress.robustness.subjects import Subject, find_subjects


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes
    ----------
    alterations : sequence of str
        Keys of `ALTERATIONS`; the photographs as they are are always asked about.
    members : sequence of str
        Default: all.
    photographs : int
        How many training photographs are altered; 0 for all.
    """

    alterations: Sequence[str] = tuple(ALTERATIONS)
    members: Sequence[str] = ()
    photographs: int = PHOTOGRAPHS


def robustness(
    store: OofStore,
    experiment: Experiment,
    data: Location | None,
    engine_name: str,
    wanted: Wanted,
    board: ProgressBoard | None = None,
) -> tuple[pd.DataFrame, dict[str, Any], bool]:
    """Ask, write into `<store>/robustness/`, and return the table, the facts, and whether no member failed.

    Photographs of another size that a member cannot take are no failure. `data` is where the competition lies
    (default: where it was when the store was trained).

    Raises
    ------
    UserError
        No member can be asked, or the competition is not at hand, or is not the one of the store.
    """
    board, make_engine = board or ProgressBoard(), engine_maker(engine_name)
    with only_writer(store.root, ROBUSTNESS), Progress(board.console) as progress:
        remove_unfinished(store.root / ROBUSTNESS)
        predictions = load_predictions(store, experiment)
        manifest = current_manifest(store, predictions)
        inquiry = _inquiry(store, experiment, predictions, manifest, wanted, progress)
        to_do, columns_of = _missing(inquiry, wanted)
        troubles: list[Trouble] = []
        if to_do or columns_of:
            photographs = _photographs(store, experiment, data, inquiry.kept.sample, progress)
            ways = len({*to_do, *columns_of})
            progress.begin(f"asking about {len(photographs)} photographs, altered in {ways} ways")
            columns = experiment.blend.columns if columns_of else None
            with make_engine() as engine:
                cache, to_do = store.feature_cache, _that_run(engine, to_do, inquiry)
                asking = Asking(photographs, columns, inquiry.kept, store, engine, board, cache, progress.at)
                troubles = asking.run(to_do, columns_of)
        table, content = write_results(inquiry, manifest)
    return table, content, all(trouble.size is not None for trouble in troubles)


def _inquiry(
    store: OofStore,
    experiment: Experiment,
    predictions: Predictions,
    manifest: dict[str, Any] | None,
    wanted: Wanted,
    progress: Progress,
) -> Inquiry:
    """Who can be asked, about what, and how the blend decides."""
    subjects, left_out = find_subjects(store, experiment.members, predictions)
    kept = Kept(store, Sample.draw(store, wanted.photographs))
    blend = fit_honest_blend(store, experiment, predictions, manifest, progress.begin)
    columns = experiment.blend.columns if not isinstance(blend, str) and blend.reads_columns else None
    key = None if columns is None else features_key(columns)
    return Inquiry(store, predictions, subjects, left_out, blend, key, kept)


def _missing(inquiry: Inquiry, wanted: Wanted) -> tuple[dict[str, list[Subject]], list[str]]:
    """Members to ask about each alteration, and alterations of which a blend's columns are not there."""
    asked = [name for name in inquiry.subjects if not wanted.members or name in wanted.members]
    if not asked:
        reasons = "; ".join(f"{name} {reason}" for name, reason in inquiry.left_out.items())
        raise UserError(f"no member of {inquiry.store.root} that you ask for can be asked: {reasons}")
    kept, to_do, columns_of = inquiry.kept, {}, []
    for name in ALTERATIONS:
        if name != AS_THEY_ARE and name not in wanted.alterations:
            continue
        subjects = [inquiry.subjects[member] for member in asked]
        missing = [each for each in subjects if kept.read(name, each.name, each.signature) is None]
        if missing:
            to_do[name] = missing
        if inquiry.columns_key is not None and kept.read(name, COLUMNS, inquiry.columns_key) is None:
            columns_of.append(name)
    return to_do, columns_of


def _that_run(engine: Engine, to_do: dict[str, list[Subject]], inquiry: Inquiry) -> dict[str, list[Subject]]:
    """Without members that ask for what no machine has; the others as they can run here."""
    members = {each.name: each.member for subjects in to_do.values() for each in subjects}
    able, unable = engine.fit_to_hardware(members.values())
    settled = {member.name: member for member in able}
    inquiry.left_out.update(unable)
    return {
        name: [each.settled(settled[each.name]) for each in subjects if each.name in settled]
        for name, subjects in to_do.items()
    }


def _photographs(
    store: OofStore, experiment: Experiment, data: Location | None, sample: Sample, progress: Progress
) -> NDArray[np.uint8]:
    """The photographs of the sample, uint8 (photographs, height, width, 3)."""
    progress.begin("reading photographs")
    competition = competition_of(store, experiment.data, data)
    place = {name: row for row, name in enumerate(competition.train.names)}
    return competition.decode()[[place[name] for name in sample.names]]
