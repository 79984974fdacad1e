"""What is still to be done: the store compared with the experiment."""

from __future__ import annotations

from dataclasses import dataclass

from ensemble.competition.dataset import Competition
from ensemble.config import Experiment, MemberSettings
from ensemble.core.errors import UserError
from ensemble.engine.features.table import features_key
from ensemble.engine.recipes.code import recipe_code
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore, provenance_of
from ensemble.store.record import Provenance


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

    @property
    def whole(self) -> list[MemberSettings]:
        """Members whose folds are all finished."""
        unfinished = {member.name for member in self.members}
        return list({member.name: member for member, _ in self.kept if member.name not in unfinished}.values())


def choose_members(experiment: Experiment, names: str) -> list[MemberSettings]:
    """The members to train: all, or those named."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {member.name: member for member in experiment.members}
    unknown = [name for name in wanted if name not in known]
    if names and not wanted:
        raise UserError(f"--members names nobody; the config has {', '.join(known)}")
    if unknown:
        raise UserError(f"--members: {', '.join(unknown)} is not in the config; it has {', '.join(known)}")
    return [known[name] for name in wanted] if wanted else list(experiment.members)


def plan_folds(members: list[MemberSettings], ledger: FoldLedger, competition: Competition, store: OofStore) -> Plan:
    """Compare what the store holds with what the experiment asks for."""
    plan = Plan([], [], {}, [], {})
    for member in members:
        provenance = provenance_of(member, recipe_code(member.recipe), ledger, competition.sha256)
        plan.provenance[member.name] = provenance
        plan.features[member.name] = features_key(member.features) if member.features else None
        for fold in range(ledger.n_folds):
            state = store.state(member.name, fold, provenance)
            (plan.kept if state.is_valid else plan.missing).append((member, fold))
            if state.status == "stale":
                plan.reasons.append(f"{member.name}/fold-{fold} is trained again: {'; '.join(state.reasons)}")
    return plan
