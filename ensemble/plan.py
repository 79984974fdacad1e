"""What is still to be done: the store compared with the experiment, and the missing folds as tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.competition import Competition
from ensemble.config import MemberSettings
from ensemble.engine import Workload
from ensemble.engine.task import FoldTask
from ensemble.features import FeatureTable, features_key
from ensemble.folds import FoldLedger
from ensemble.oof import OofStore, Provenance, provenance_of
from ensemble.provenance import recipe_code


@dataclass(frozen=True)
class Plan:
    """Which folds are kept, which are to be trained, why work is done again, and the keys of feature tables."""

    missing: list[tuple[MemberSettings, int]]
    kept: list[tuple[MemberSettings, int]]
    provenance: dict[str, Provenance]
    reasons: list[str]
    features: dict[str, str | None]

    @property
    def members(self) -> list[MemberSettings]:
        """Members with folds to train, in the order of the config."""
        return list({member.name: member for member, _ in self.missing}.values())


def plan_folds(members: list[MemberSettings], ledger: FoldLedger, competition: Competition, store: OofStore) -> Plan:
    """Compare what the store holds with what the experiment asks for."""
    plan = Plan([], [], {}, [], {})
    for member in members:
        provenance = provenance_of(member, recipe_code(member.recipe), ledger, competition.sha256)
        plan.provenance[member.name] = provenance
        plan.features[member.name] = features_key(member.features) if member.features else None
        for fold in range(ledger.n_folds):
            changes = store.finished(member.name, fold, provenance)
            (plan.kept if changes == [] else plan.missing).append((member, fold))
            if changes:
                plan.reasons.append(f"{member.name}/fold-{fold} is trained again: {'; '.join(changes)}")
    return plan


def to_workload(
    plan: Plan,
    able: list[MemberSettings],
    tables: dict[str | None, FeatureTable],
    pixels: NDArray[np.uint8],
    ledger: FoldLedger,
) -> Workload:
    """The missing folds of the members that can run here, with the tables that they share."""
    runnable = {member.name: member for member in able}
    table_of = {member.name: plan.features[member.name] for member in able}
    test = np.arange(len(ledger.table), len(pixels))
    tasks = [
        FoldTask(
            runnable[member.name],
            fold,
            plan.provenance[member.name].code,
            ledger.training(fold),
            ledger.heldout(fold),
            test,
        )
        for member, fold in plan.missing
        if member.name in runnable
    ]
    shared: dict[str | None, NDArray[Any]] = {key: table.values for key, table in tables.items()}
    if None in table_of.values():
        shared[None] = pixels
    return Workload(tasks, shared, table_of, ledger.labels)
