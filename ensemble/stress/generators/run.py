"""Training without each cluster of fakes, in a store of its own, and the scores on the clusters left out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Pixels
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import plural
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.engine.choose import engine_maker
from ensemble.folds.ledger import FoldLedger
from ensemble.store.columns import SPECTRA, columns_missing, make_columns
from ensemble.store.context import RunContext
from ensemble.store.oof import OofStore
from ensemble.store.opening import begin_store, competition_of, set_aside
from ensemble.store.replacing import only_trainer
from ensemble.store.results import GENERATORS, file_of
from ensemble.stress.generators.ledger import ALGORITHM
from ensemble.stress.generators.results import results_of
from ensemble.stress.generators.stored import Found, new_clusters, stored_clusters, write_clusters
from ensemble.stress.generators.summary import print_scores
from ensemble.training.checks import check_members
from ensemble.training.execute import Training, train_folds
from ensemble.training.plan import Plan, choose_members, plan_folds

_LEARNS = "learns test photographs, which may be like the fakes of a cluster"  # by pseudo-labels
_FEWER = "has not learned photographs that arrived later: run ensemble update --again for it"


@dataclass
class _Run:
    """State that the steps share."""

    store: OofStore
    experiment: Experiment
    competition: Competition
    ledger: FoldLedger
    engine_name: str
    board: ProgressBoard
    pixels: Pixels | None = None

    def decoded(self) -> Pixels:
        """Return all photographs, decoded once."""
        self.pixels = self.competition.decode() if self.pixels is None else self.pixels
        return self.pixels


def leave_clusters_out(
    store: OofStore,
    experiment: Experiment,
    names: str = "",
    data: Location | None = None,
    engine_name: str = "ray",
    n_clusters: int | None = None,
) -> bool:
    """Train members (default: all) without each cluster of fakes, and write their scores on it.

    Only `spectra.parquet` and the folder `generators/` of the store change, and no other run trains it meanwhile.
    Returns whether every requested fold is stored.

    Raises
    ------
    UserError
        The data is not what the store was trained on, a member is not trained, or fakes cannot be clustered so.
    """
    started = time.time()
    engine_maker(engine_name)  # a wrong name is an error before anything runs
    chosen = {member.name for member in choose_members(experiment, names)}
    with only_trainer(store):
        competition = competition_of(store, experiment.data, data)
        run = _Run(store, experiment, competition, _random_ledger(store), engine_name, ProgressBoard())
        ready, left_out = _trained(run, chosen if names else set())
        cluster_store = OofStore(store.root / GENERATORS, store.feature_cache)
        clusters = _clusters(run, cluster_store, n_clusters)
        members = ready.complete_members
        plan = plan_folds(members, clusters.ledger, competition, cluster_store)
        complete = _train(run, cluster_store, clusters, _only(plan, chosen), started)
        if plan.missing:
            plan = plan_folds(members, clusters.ledger, competition, cluster_store)
        compared = plan.complete_members
        left_out |= {m.name: "not trained without each cluster" for m in members if m not in compared}
        _publish(run, cluster_store, clusters, [member.name for member in compared], left_out)
    return complete


def _random_ledger(store: OofStore) -> FoldLedger:
    ledger = store.ledger()
    if ledger.algorithm == ALGORITHM:
        raise UserError(
            f"{store.root} is a store of ensemble generators; name the store of the experiment, which contains it"
        )
    return ledger


def _trained(run: _Run, named: set[str]) -> tuple[Plan, dict[str, str]]:
    """Return the members whose random folds are valid, to be compared with, and why others are left out."""
    learned = [member.name for member in run.experiment.members if member.pseudo_labels is not None]
    if refused := sorted(named.intersection(learned)):
        raise UserError(f"{refused[0]} {_LEARNS}; leave it out")
    members = [member for member in run.experiment.members if member.name not in learned]
    plan = plan_folds(members, run.ledger, run.competition, run.store)
    changed = {name: why for (name, _), why in plan.reasons.items()}
    left_out = {m.name: changed.get(m.name, "not trained to the end in random folds") for m in plan.members}
    left_out |= dict.fromkeys(run.store.imported(), "trained elsewhere") | dict.fromkeys(learned, _LEARNS)
    records = ((member.name, run.store.record(member.name, 0)) for member in plan.complete_members)
    fewer = {name for name, record in records if record is not None and record.learned_fewer}
    left_out |= dict.fromkeys(fewer, _FEWER)
    plan = replace(plan, finished=[(member, fold) for member, fold in plan.finished if member.name not in fewer])
    missing = sorted(named & set(left_out)) or (sorted(left_out) if not plan.complete_members else [])
    if missing:
        why = left_out[missing[0]]
        remedy = "there is no other to compare" if why in (_LEARNS, _FEWER) else "run ensemble train first"
        raise UserError(f"{run.store.root}: {missing[0]} ({why}); {remedy}")
    return plan, left_out


def _clusters(run: _Run, cluster_store: OofStore, n_clusters: int | None) -> Found:
    """Return the stored clusters, or new ones from the spectra, which are computed if need be."""
    recipe = run.experiment.report.spectra
    clusters = stored_clusters(cluster_store, run.ledger, recipe, n_clusters)
    if clusters is None:
        if columns_missing(recipe, run.competition, run.store, SPECTRA):
            with engine_maker(run.engine_name)() as engine:
                context = RunContext(run.competition, run.ledger, run.store, engine, run.board)
                make_columns(recipe, context, run.decoded(), SPECTRA)
        clusters = new_clusters(run.store, run.ledger, recipe, n_clusters)
        if _ledger_of(cluster_store) != clusters.ledger.sha256:
            set_aside(cluster_store, clusters.ledger, run.competition, run.board)
        write_clusters(cluster_store, clusters)
    sizes = ", ".join(str(cluster["fakes"]) for cluster in clusters.facts["clusters"])
    run.board.log(f"{clusters.ledger.n_folds} clusters of {sizes} fakes, silhouette {clusters.facts['silhouette']:.2f}")
    folds = run.experiment.folds.model_copy(update={"n_folds": clusters.ledger.n_folds, "seed": clusters.ledger.seed})
    experiment = run.experiment.model_copy(update={"folds": folds})
    begin_store(cluster_store, experiment, clusters.ledger, run.competition)
    return clusters


def _ledger_of(cluster_store: OofStore) -> str | None:
    try:
        return cluster_store.ledger().sha256
    except UserError:
        return None


def _only(plan: Plan, names: set[str]) -> Plan:
    """Return the part of a plan that is about some members."""
    missing = [(member, fold) for member, fold in plan.missing if member.name in names]
    reasons = {fold: why for fold, why in plan.reasons.items() if fold[0] in names}
    return replace(plan, missing=missing, reasons=reasons)


def _train(run: _Run, cluster_store: OofStore, clusters: Found, plan: Plan, started: float) -> bool:
    """Train what is missing, as `ensemble train` does; returns whether no fold failed."""
    for line in plan.lines:
        run.board.log(line)
    if not plan.missing:
        run.board.log(
            f"nothing to train: all {plural(len(plan.finished), 'fold')} of {cluster_store.root} are finished"
        )
        return True
    run.board.log(f"{plural(len(plan.missing), 'fold')} to train, {len(plan.finished):,} finished already")
    check_members(plan.members)
    pixels = run.decoded()
    with engine_maker(run.engine_name)() as engine:
        context = RunContext(run.competition, clusters.ledger, cluster_store, engine, run.board)
        return train_folds(Training(context, plan, pixels), started)


def _publish(run: _Run, cluster_store: OofStore, clusters: Found, members: list[str], left_out: dict[str, str]) -> None:
    """Write the scores, unless they are up to date, and print them."""
    if not members:
        run.board.log("no member has predicted every cluster, so there is nothing to compare yet")
        return
    results = results_of(run.store, cluster_store, run.experiment, clusters, members, left_out)
    print_scores(*results, run.board.console)
    run.board.log(f"written: {file_of(run.store, GENERATORS, 'md')}, .csv, .parquet, .json")
