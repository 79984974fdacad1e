"""A search for the settings of one member, on folds of its own, and what is left of its gain on the store's folds.

The search sees the training photographs alone, cut by another seed. The predictions that a blend is judged by are not
looked at before the search has ended. Its rows are the same, though: on the store's folds a tuned member is still a
little better than on photographs that nobody has.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ensemble.audit.pseudo_labels import check_pseudo_labels
from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.arrays import Pixels
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import first_few, plural
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import log_loss
from ensemble.core.storage.files import Location, write_text
from ensemble.core.storage.hashing import digest
from ensemble.core.storage.lock import only_writer
from ensemble.core.yaml import dump_yaml
from ensemble.engine.base import Engine
from ensemble.engine.choose import engine_maker
from ensemble.engine.recipes.code import recipe_code
from ensemble.folds.ledger import FoldLedger
from ensemble.grow.space import Values, current_values, with_each_choice, with_values, without_values
from ensemble.store.context import RunContext
from ensemble.store.grown import BEST, OWNER, RESULT, STUDY, TRIALS, TUNE
from ensemble.store.oof import OofStore
from ensemble.store.opening import begin_store, prepare_to_try
from ensemble.store.predictions import load_predictions
from ensemble.store.replacing import only_trainer
from ensemble.training.budget import Limits
from ensemble.training.checks import check_members
from ensemble.training.execute import train_all_folds

if TYPE_CHECKING:
    from ensemble.grow.search import Search

_CHECK: Final = "check"  # store of the best settings on the store's folds
_FAR: Final = 1_000_000  # from the seeds of the store's own folds


def tune(
    experiment: Experiment,
    member: MemberSettings,
    data: Location,
    store: OofStore,
    engine_name: str,
    limits: Limits,
    most: int | None,
    storage: str | None,
) -> None:
    """Search for better settings of a member, and write what was found into the store's folder `tune/<member>`.

    Parameters
    ----------
    most : int or None
        Trials, those of earlier runs included.
    storage : str or None
        Address of an Optuna storage that several drivers share; default: a file in the store.

    Raises
    ------
    UserError
        The member has nothing to search, or no trial was finished.
    """
    make_engine, board = engine_maker(engine_name), ProgressBoard()
    if storage is None and not isinstance(store.root, Path):
        raise UserError(f"{store.root} cannot hold a study: give the address of an Optuna storage with --storage")
    _check_space(member)
    own = OofStore(store.root / TUNE / member.name, store.feature_cache)
    with only_writer(store.root, f"{TUNE}-{member.name}"):
        competition = Competition.open(data, experiment.data)
        with only_trainer(store):
            pixels, ledger = prepare_to_try(experiment, competition, store, board)
        inner = _begin(experiment, competition, own, ledger)
        with make_engine() as engine:
            engine.deadline = limits.budget.deadline
            context = RunContext(competition, ledger, store, engine, board)
            check_pseudo_labels([member], experiment, context, pixels)
            able = _able(engine, member)
            on_inner, seed = replace(context, ledger=inner, store=own), experiment.folds.seed
            search = _search(on_inner, able, pixels, seed, limits, most, storage)
            result = _outcome(search, member)
            if result["best"] != result["configured"]:
                result["ledger"] = _check(context, own, able, result["values"]["best"], pixels, limits)
        _write(own, member, search, result)
    for line in _lines(result, own):
        board.log(line)


def _check_space(member: MemberSettings) -> None:
    """Build the member with each choice, so that a mistake is an error before anything runs."""
    current_values(member)
    check_members([member, *with_each_choice(member)])


def inner_ledger(ledger: FoldLedger) -> FoldLedger:
    """Return folds of the same rows and groups that no cut of the store has."""
    return ledger.cut_again(ledger.seed + _FAR)


def _lines(result: dict[str, Any], own: OofStore) -> list[str]:
    """Return what a search has found, in words."""
    inner, ledger, trials = result["inner"], result["ledger"], result["trials"]
    counts = f"{plural(trials['finished'], 'trial')} finished, {trials['pruned']} pruned, {trials['failed']} failed"
    if result["best"] == result["configured"]:
        return [f"{counts}: none is better than the settings of the config, log loss {inner['best']:.4f}"]
    found = [
        f"{counts}; the best is trial {result['best']}",
        f"log loss on the folds of the search: {inner['best']:.4f}, as configured {inner['configured']:.4f}",
    ]
    if ledger:
        before, after = (inner["configured"] - inner["best"], ledger["configured"] - ledger["best"])
        found.append(
            f"log loss on the store's folds, which the search has not seen: {ledger['best']:.4f}, as configured "
            f"{ledger['configured']:.4f}; of a gain of {before:.4f}, {after:.4f} is left"
        )
    else:
        found.append("it was not scored on the store's folds to the end: run the same command again")
    return [*found, f"the member with these settings: {own.root / BEST}"]


def _begin(experiment: Experiment, competition: Competition, own: OofStore, ledger: FoldLedger) -> FoldLedger:
    """Begin the store of the trials, with its folds."""
    inner = inner_ledger(ledger)
    folds = experiment.folds.model_copy(update={"seed": inner.seed, "repeats": 1})
    begin_store(own, experiment.model_copy(update={"folds": folds}), inner, competition)
    return inner


def _search(
    context: RunContext,
    member: MemberSettings,
    pixels: Pixels,
    seed: int,
    limits: Limits,
    most: int | None,
    storage: str | None,
) -> Search:
    """Try settings until the time or the number of trials is up."""
    from ensemble.grow.search import Search  # takes a second; a mistake in the config need not wait for it
    from ensemble.grow.trials import Trials

    root, board = context.store.root, context.board
    made_of = _made_of(member, context)
    address = storage or f"sqlite:///{root / STUDY}"
    search = Search(member, address, f"{member.name} {made_of}", _owner(root), seed, shared=storage is not None)
    earlier = f"; {plural(len(search), 'trial')} ended in earlier runs" if len(search) else ""
    board.log(
        f"searching {', '.join(member.tune)} of {member.name} on {context.ledger.n_folds} folds of their own{earlier}"
    )
    Trials(context, search, pixels, f"trial-{made_of}", limits, most).run()
    return search


def _made_of(member: MemberSettings, context: RunContext) -> str:
    """Identify what trials must share to be of one study."""
    codes = sorted({recipe_code(each.recipe) for each in (member, *with_each_choice(member))})
    made_of = [context.competition.sha256, context.ledger.sha256, codes, member.model_dump(mode="json")["tune"]]
    return digest([without_values(member, member.tune), *made_of])[:12]


def _owner(root: Location) -> str:
    """Return the identifier of a store of trials: no other one has it, wherever it lies."""
    path = root / OWNER
    if not path.exists():
        write_text(path, uuid.uuid4().hex)
    return path.read_text(encoding="utf-8", errors="replace")


def _able(engine: Engine, member: MemberSettings) -> MemberSettings:
    """Return the member as it can run here.

    Raises
    ------
    UserError
        It cannot.
    """
    able, unable = engine.fit_to_hardware([member])
    if unable:
        raise UserError(f"member {member.name} {unable[member.name]}")
    return able[0]


def _outcome(search: Search, member: MemberSettings) -> dict[str, Any]:
    """Return the best trial beside the configured one.

    Raises
    ------
    UserError
        One of them is missing.
    """
    best, configured = search.best(), search.configured()
    if best is None or configured is None:
        causes = sorted({trial["cause"] for trial in search.table()} - {""})
        why = f"failed trials: {first_few(causes)}" if causes else "the time was up; run the same command again"
        raise UserError(f"member {member.name}: the trial of the config's own settings was not finished; {why}")
    return {
        "member": member.name,
        "trials": search.counts(),
        "best": best.number,
        "configured": configured.number,
        "values": {"best": search.values(best), "configured": search.values(configured)},
        "inner": {"best": best.value, "configured": configured.value},
        "ledger": {},
        "importances": search.importances(),
    }


def _check(
    context: RunContext, own: OofStore, member: MemberSettings, best: Values, pixels: Pixels, limits: Limits
) -> dict[str, float]:
    """Return the log losses of the best and the configured settings on the store's folds; empty if time was short."""
    members = [with_values(member, values, name) for name, values in (("best", best), ("as-configured", {}))]
    experiment, ledger = own.experiment().model_copy(update={"members": tuple(members)}), context.ledger
    store = OofStore(own.root / _CHECK, context.store.feature_cache)
    begin_store(store, experiment, ledger, context.competition)
    context.board.log("scoring the best settings, and those of the config, on the store's folds")
    context.engine.deadline = limits.budget.deadline
    if not train_all_folds(replace(context, store=store), members, pixels, limits.timeout):
        return {}
    logits = load_predictions(store, experiment).oof_logits.astype(np.float64)
    losses = [float(log_loss(column, ledger.labels).mean()) for column in logits.T]
    return dict(zip(("best", "configured"), losses, strict=True))


def _write(own: OofStore, member: MemberSettings, search: Search, result: dict[str, Any]) -> None:
    """Write the trials, the result, and the member with its best settings, to be put into a config."""
    write_text(own.root / TRIALS, json.dumps(search.table(), indent=1) + "\n")
    write_text(own.root / RESULT, json.dumps(result, indent=1) + "\n")
    tuned = with_values(member, result["values"]["best"], member.name)
    entry = {**tuned.model_dump(mode="json", exclude_defaults=True), "tune": member.model_dump(mode="json")["tune"]}
    write_text(own.root / BEST, dump_yaml({"members": [entry]}))
