"""What is to be done: the store compared with the experiment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.console.text import did_you_mean, listed
from ensemble.core.errors import UserError
from ensemble.engine.recipes.code import recipe_code
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore
from ensemble.store.record import Provenance


@dataclass(frozen=True)
class Plan:
    """Folds to train and finished ones, and why finished work is done again, by member and fold."""

    missing: list[tuple[MemberSettings, int]]
    finished: list[tuple[MemberSettings, int]]
    provenance: dict[str, Provenance]
    reasons: dict[tuple[str, int], str]

    @property
    def lines(self) -> list[str]:
        """Why folds are trained again, a line each."""
        return [f"{name}/fold-{fold} is trained again: {why}" for (name, fold), why in self.reasons.items()]

    @property
    def members(self) -> list[MemberSettings]:
        """Members with folds to train, in the order of the config."""
        return list({member.name: member for member, _ in self.missing}.values())

    @property
    def complete_members(self) -> list[MemberSettings]:
        """Members whose folds are all finished."""
        unfinished = {member.name for member in self.members}
        return list({member.name: member for member, _ in self.finished if member.name not in unfinished}.values())


def choose_members(experiment: Experiment, names: str, option: str = "--members") -> list[MemberSettings]:
    """Return the members to train: all, or those named."""
    if not experiment.members:
        raise UserError(
            f"{experiment.name} has no members to train; for imported predictions run ensemble folds cut, and then "
            "ensemble blend import"
        )
    requested = listed(names)
    known = {member.name: member for member in experiment.members}
    unknown = [name for name in requested if name not in known]
    if names and not requested:
        raise UserError(f"{option} names no member; the config has {', '.join(known)}")
    if unknown:
        near = did_you_mean(unknown[0], known)
        raise UserError(f"{option}: not in the config: {', '.join(unknown)}; it has {', '.join(known)}; {near}")
    return [known[name] for name in requested] if requested else list(experiment.members)


def check_not_imported(members: Iterable[MemberSettings], store: OofStore) -> None:
    """Raise a `UserError` if a member has the name of imported predictions, which its folds would replace."""
    imported = set(store.imported())
    for member in members:
        if member.name in imported:
            raise UserError(
                f"{member.name} is the name of imported predictions in {store.root}; give the member another name, or "
                f"remove them: ensemble blend remove {member.name} --store {store.root}"
            )


def provenance_of(member: MemberSettings, ledger: FoldLedger, competition: Competition) -> Provenance:
    """Return what a fold of a member is made of, as it would be trained now."""
    return Provenance(member.recipe, ledger.sha256, competition.sha256, recipe_code(member.recipe))


def plan_folds(members: list[MemberSettings], ledger: FoldLedger, competition: Competition, store: OofStore) -> Plan:
    """Compare the store with the experiment."""
    plan = Plan([], [], {}, {})
    for member in members:
        provenance = provenance_of(member, ledger, competition)
        plan.provenance[member.name] = provenance
        for fold in range(ledger.n_folds):
            state = store.state(member.name, fold, provenance)
            (plan.finished if state.is_valid else plan.missing).append((member, fold))
            if state.status == "stale":
                plan.reasons[member.name, fold] = "; ".join(state.reasons)
    return plan
