"""One robustness run from start to end: missing answers are computed, stored ones are reused, results are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ensemble.config.experiment import Experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.status import StatusLine
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, remove_unfinished
from ensemble.core.storage.lock import only_writer
from ensemble.engine.base import Engine
from ensemble.engine.choose import engine_maker
from ensemble.engine.tasks.features import TableRequest
from ensemble.store.context import RunContext
from ensemble.store.oof import OofStore
from ensemble.store.opening import competition_of
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.results import AS_THEY_ARE, ROBUSTNESS, current_manifest
from ensemble.store.stored_members import StoredMember, find_stored_members
from ensemble.stress.robustness.alterations import ALTERATIONS
from ensemble.stress.robustness.answers import Answers, InferenceFailure
from ensemble.stress.robustness.honest_blend import fit_honest_blend
from ensemble.stress.robustness.inference import COLUMNS_ANSWER, Inference
from ensemble.stress.robustness.results import RobustnessRun, write_results
from ensemble.stress.robustness.sample import SAMPLE_SIZE, Sample

Missing = dict[str, list[StoredMember]]  # by alteration


@dataclass(frozen=True)
class RobustnessRequest:
    """What is to be measured.

    Attributes
    ----------
    alterations : sequence of str
        Keys of `ALTERATIONS`; the photographs as they are always take part.
    members : sequence of str
        Default: all.
    photographs : int
        How many training photographs are altered; 0 for all.
    """

    alterations: Sequence[str] = tuple(ALTERATIONS)
    members: Sequence[str] = ()
    photographs: int = SAMPLE_SIZE


def robustness(
    store: OofStore,
    experiment: Experiment,
    data: Location | None,
    engine_name: str,
    request: RobustnessRequest,
    board: ProgressBoard | None = None,
) -> tuple[pd.DataFrame, dict[str, Any], bool]:
    """Measure, write into `<store>/robustness/`, and return the table, the facts, and whether no member failed.

    Photographs of another size that a member cannot take are no failure. `data` is where the competition lies
    (default: where it was when the store was trained).

    Raises
    ------
    UserError
        No member has models that can be applied, or the competition is missing, or is not the one of the store.
    """
    board, make_engine = board or ProgressBoard(), engine_maker(engine_name)
    with only_writer(store.root, ROBUSTNESS), StatusLine(board.console) as status:
        for folder in (store.root / ROBUSTNESS, *(store.root / ROBUSTNESS).glob("*/")):
            remove_unfinished(folder)
        predictions = load_predictions(store, experiment)
        manifest = current_manifest(store, predictions)
        run = _prepare(store, experiment, predictions, manifest, request, status)
        missing, columns_of = _missing(run, request)
        failures: list[InferenceFailure] = []
        if missing or columns_of:
            status.start("reading photographs")
            competition = competition_of(store, experiment.data, data)
            with make_engine() as engine:
                context = RunContext(competition, predictions.ledger, store, engine, board)
                failures = _infer(context, run, missing, columns_of, status)
        table, content = write_results(run, manifest)
    return table, content, all(failure.size is not None for failure in failures)


def _prepare(
    store: OofStore,
    experiment: Experiment,
    predictions: Predictions,
    manifest: dict[str, Any] | None,
    request: RobustnessRequest,
    status: StatusLine,
) -> RobustnessRun:
    """Find the members whose models can be applied, draw the sample, and fit the blend that decides it."""
    members, left_out = find_stored_members(store, experiment.members, predictions)
    answers = Answers(store, Sample.draw(store, request.photographs))
    blend = fit_honest_blend(store, experiment, predictions, manifest, status.start)
    recipe = experiment.blend.columns if not isinstance(blend, str) and blend.reads_columns else None
    columns = None if recipe is None else TableRequest(recipe)
    return RobustnessRun(store, predictions, members, left_out, blend, columns, answers)


def _missing(run: RobustnessRun, request: RobustnessRequest) -> tuple[Missing, list[str]]:
    """Return members without answers about each alteration, and alterations without columns that a blend reads."""
    requested = [name for name in run.members if not request.members or name in request.members]
    if not requested:
        reasons = "; ".join(f"{name} {reason}" for name, reason in run.left_out.items())
        raise UserError(f"no requested member of {run.store.root} has models that can be applied: {reasons}")
    answers, missing, columns_of = run.answers, Missing(), []
    for name in ALTERATIONS:
        if name != AS_THEY_ARE and name not in request.alterations:
            continue
        members = [run.members[member] for member in requested]
        without = [each for each in members if answers.read(name, each.name, each.signature) is None]
        if without:
            missing[name] = without
        if run.columns is not None and answers.read(name, COLUMNS_ANSWER, run.columns.key) is None:
            columns_of.append(name)
    return missing, columns_of


def _infer(
    context: RunContext, run: RobustnessRun, missing: Missing, columns_of: list[str], status: StatusLine
) -> list[InferenceFailure]:
    """Compute what is missing."""
    sample = run.answers.sample
    pixels = context.competition.decode()[sample.rows]
    ways = len({*missing, *columns_of})
    status.start(f"applying models to {len(pixels)} photographs, altered in {ways} ways")
    columns = run.columns if columns_of else None
    inference = Inference(context, pixels, run.answers, columns, status.update)
    return inference.run(_that_fit(context.engine, missing, run), columns_of)


def _that_fit(engine: Engine, missing: Missing, run: RobustnessRun) -> Missing:
    """Return members as they can run here; those that request what no node has are left out."""
    members = {each.name: each.member for members in missing.values() for each in members}
    able, unable = engine.fit_to_hardware(members.values())
    fitting = {member.name: member for member in able}
    run.left_out.update(unable)
    return {
        name: [each.with_settings(fitting[each.name]) for each in members if each.name in fitting]
        for name, members in missing.items()
    }
