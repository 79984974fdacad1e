"""Whether a competition allows pseudo-labels: test photographs that differ would teach a member their own faults."""

from __future__ import annotations

from collections.abc import Iterable

from ensemble.audit.learned.adversarial import NAME
from ensemble.audit.run import Subject, audit
from ensemble.config.members import MemberSettings
from ensemble.core.arrays import Pixels
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.engine.base import Engine
from ensemble.store.checks import Check


def check_pseudo_labels(
    members: Iterable[MemberSettings], subject: Subject, engine: Engine, board: ProgressBoard, pixels: Pixels
) -> None:
    """Run the audits, if a member asks for pseudo-labels, and refuse them unless nothing speaks against them.

    Raises
    ------
    UserError
        An audit alarms, or the test photographs do not look like the training photographs.
    """
    asking = [member.name for member in members if member.pseudo_labels is not None]
    if not asking:
        return
    board.log(f"auditing the photographs before {', '.join(asking)} may learn from test photographs")
    if reason := objection(audit(subject, engine, board, pixels)):
        raise UserError(f"member {asking[0]} may not learn pseudo-labels: {reason}")


def objection(checks: Iterable[Check]) -> str:
    """Return what speaks against pseudo-labels; empty if nothing does."""
    for check in checks:
        if check.verdict == "alarm" or (check.id == NAME and check.verdict != "fine"):
            return check.sentence
    return ""
