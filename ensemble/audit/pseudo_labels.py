"""Whether a competition allows pseudo-labels: test photographs that differ would teach a member their own faults."""

from __future__ import annotations

from collections.abc import Iterable

from ensemble.audit.files.copies import ACROSS
from ensemble.audit.learned.adversarial import NAME
from ensemble.audit.run import Subject, audit
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.core.arrays import Pixels
from ensemble.core.errors import UserError
from ensemble.store.checks import Check
from ensemble.store.context import RunContext

_MUST_BE_FINE = (NAME, ACROSS)  # a copy of a held-out photograph in the test set would be learned with its label


def check_pseudo_labels(
    members: Iterable[MemberSettings], experiment: Experiment, context: RunContext, pixels: Pixels
) -> None:
    """Run the audits, if a member asks for pseudo-labels, and refuse them unless nothing speaks against them.

    Raises
    ------
    UserError
        An audit alarms, the test photographs do not look like the training photographs, or one is among these.
    """
    asking = [member.name for member in members if member.pseudo_labels is not None]
    if not asking:
        return
    context.board.log(f"auditing the photographs before {', '.join(asking)} may learn from test photographs")
    subject = Subject(context.competition, context.ledger, experiment, context.store)
    if reason := objection(audit(subject, context.engine, context.board, pixels)):
        raise UserError(f"member {asking[0]} may not learn pseudo-labels: {reason}")


def objection(checks: Iterable[Check]) -> str:
    """Return what speaks against pseudo-labels; empty if nothing does."""
    for check in checks:
        if check.verdict == "alarm" or (check.id in _MUST_BE_FINE and check.verdict != "fine"):
            return check.sentence
    return ""
