"""From a trained store to what its members decide on clusters of fakes that they never saw, in a store of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.dataset import Competition
from ensemble.config import Experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.storage.lock import only_writer
from ensemble.engine.choose import engine_maker
from ensemble.folds.ledger import FoldLedger
from ensemble.store.columns import SPECTRA, columns_missing, make_columns
from ensemble.store.oof import OofStore
from ensemble.store.opening import competition_of, facts_of, set_aside, write_photograph_hashes
from ensemble.store.results import GENERATORS, file_of
from ensemble.stress.generators.ledger import ALGORITHM
from ensemble.stress.generators.page import print_scores
from ensemble.stress.generators.results import results_of
from ensemble.stress.generators.stored import Found, new_clusters, stored_clusters, write_clusters
from ensemble.training.budget import UNLIMITED
from ensemble.training.checks import check_members
from ensemble.training.execute import Execution, train_missing
from ensemble.training.plan import Plan, choose_members, plan_folds


@dataclass
class _Run:
    """What the steps share."""

    store: OofStore
    experiment: Experiment
    competition: Competition
    ledger: FoldLedger
    engine_name: str
    board: ProgressBoard
    pixels: NDArray[np.uint8] | None = None

    def decoded(self) -> NDArray[np.uint8]:
        """All photographs, decoded once."""
        self.pixels = self.competition.decode() if self.pixels is None else self.pixels
        return self.pixels


def leave_clusters_out(
    store: OofStore,
    experiment: Experiment,
    names: str = "",
    data: Location | None = None,
    engine_name: str = "ray",
    asked: int | None = None,
) -> bool:
    """Train members (default: all) without each cluster of fakes, and write how they decide it.

    Nothing of the store but `spectra.parquet` and the folder `generators/` is touched; nobody trains it meanwhile.
    Returns whether every fold is there that was asked for.

    Raises
    ------
    UserError
        The data is not what the store was trained on, a member is not trained, or fakes cannot be clustered so.
    """
    started = time.time()
    engine_maker(engine_name)  # a wrong name is told before anything runs
    chosen = {member.name for member in choose_members(experiment, names)}
    with only_writer(store.root, "train"):
        competition = competition_of(store, experiment.data, data)
        run = _Run(store, experiment, competition, _random_ledger(store), engine_name, ProgressBoard())
        ready, left_out = _trained(run, chosen if names else set())
        held = OofStore(store.root / GENERATORS, store.feature_cache)
        found = _clusters(run, held, asked)
        plan = plan_folds(ready.whole, found.ledger, competition, held)
        complete = _train(run, held, found, _only(plan, chosen), started)
        whole = plan_folds(ready.whole, found.ledger, competition, held).whole if plan.missing else plan.whole
        left_out |= {m.name: "not trained without each cluster" for m in ready.whole if m not in whole}
        _tell(run, held, found, [member.name for member in whole], left_out)
    return complete


def _random_ledger(store: OofStore) -> FoldLedger:
    ledger = store.ledger()
    if ledger.algorithm == ALGORITHM:
        raise UserError(f"{store.root} holds unseen clusters itself; name the store in which it lies")
    return ledger


def _trained(run: _Run, named: set[str]) -> tuple[Plan, dict[str, str]]:
    """Members whose random folds stand, which is what they are compared with, and why others are left out."""
    plan = plan_folds(list(run.experiment.members), run.ledger, run.competition, run.store)
    changed = {reason.partition("/")[0]: reason.partition(": ")[2] for reason in plan.reasons}
    left_out = {m.name: changed.get(m.name, "not trained to the end in random folds") for m in plan.members}
    left_out |= dict.fromkeys(run.store.imported(), "trained elsewhere")
    missing = sorted(named & set(left_out)) or (sorted(left_out) if not plan.whole else [])
    if missing:
        raise UserError(f"{run.store.root}: {missing[0]} ({left_out[missing[0]]}); run ensemble train first")
    return plan, left_out


def _clusters(run: _Run, held: OofStore, asked: int | None) -> Found:
    """The clusters that are there, or new ones from the spectra, which are computed if need be."""
    recipe = run.experiment.report.spectra
    found = stored_clusters(held, run.ledger, recipe, asked)
    if found is None:
        if columns_missing(recipe, run.competition, run.store, SPECTRA):
            with engine_maker(run.engine_name)() as engine:
                pixels, board = run.decoded(), run.board
                make_columns(recipe, run.competition, pixels, run.ledger, engine, run.store, board, SPECTRA)
        found = new_clusters(run.store, run.ledger, recipe, asked)
        if _ledger_of(held) != found.ledger.sha256:
            set_aside(held, found.ledger, run.competition, run.board)
        write_clusters(held, found)
    sizes = ", ".join(str(cluster["fakes"]) for cluster in found.facts["clusters"])
    run.board.log(f"{found.ledger.n_folds} clusters of {sizes} fakes, silhouette {found.facts['silhouette']:.2f}")
    folds = run.experiment.folds.model_copy(update={"n_folds": found.ledger.n_folds, "seed": found.ledger.seed})
    experiment = run.experiment.model_copy(update={"folds": folds})
    held.begin(experiment, found.ledger, run.competition.sample, facts_of(run.competition))
    write_photograph_hashes(held, run.competition)
    return found


def _ledger_of(held: OofStore) -> str | None:
    try:
        return held.ledger().sha256
    except UserError:
        return None


def _only(plan: Plan, names: set[str]) -> Plan:
    """What is to be trained of some members."""
    missing = [(member, fold) for member, fold in plan.missing if member.name in names]
    reasons = [reason for reason in plan.reasons if reason.partition("/")[0] in names]
    return replace(plan, missing=missing, reasons=reasons)


def _train(run: _Run, held: OofStore, found: Found, plan: Plan, started: float) -> bool:
    """Whatever is missing, by the machinery of `ensemble.train`; returns whether no fold failed."""
    for line in plan.reasons:
        run.board.log(line)
    if not plan.missing:
        run.board.log(f"nothing to train: all {len(plan.kept)} folds of {held.root} are finished")
        return True
    run.board.log(f"{len(plan.missing)} folds to train, {len(plan.kept)} finished already")
    check_members(plan.members)
    pixels = run.decoded()
    with engine_maker(run.engine_name)() as engine:
        execution = Execution(plan, run.competition, found.ledger, held, engine, run.board, lambda: None)
        return train_missing(execution, pixels, run.engine_name, UNLIMITED, started)


def _tell(run: _Run, held: OofStore, found: Found, members: list[str], left_out: dict[str, str]) -> None:
    """Write the scores, unless they are there already, and print them."""
    if not members:
        run.board.log("no member has decided every cluster, so there is nothing to compare yet")
        return
    results = results_of(run.store, held, run.experiment, found, members, left_out)
    print_scores(*results, run.board.console)
    run.board.log(f"written: {file_of(run.store, GENERATORS, 'md')}, .csv, .parquet, .json")
