"""Audits: shortcuts and traps in the data, and whether the members' predictions of the test set differ."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.audit.learned.drift import NAME as DRIFT
from ensemble.audit.learned.drift import drift_in
from ensemble.audit.learned.permutation import NAME as PERMUTATION
from ensemble.audit.learned.permutation import best_auc, judge
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Column, Fact, Facts, Finding, Findings, Section, Table, Text
from ensemble.store.checks import GRAVEST_FIRST, Check, Evidence, read_audit

_NOT_AUDITED = "The data itself has not been audited yet: ensemble audit CONFIG --data PATH looks for shortcuts in it."


def audits(material: Material) -> Section:
    """Return every audit with its verdict; drift and the verdict on the labels are of the current predictions."""
    found = read_audit(material.store)
    checks = [_judged(check, material) for check in found or [] if check.id != DRIFT]
    checks.append(drift_in(material.store, material.predictions))
    text = () if found is not None else (Text((_NOT_AUDITED,)),)
    ordered = sorted(checks, key=lambda check: GRAVEST_FIRST.index(check.verdict))
    counts = {verdict: sum(check.verdict == verdict for check in checks) for verdict in GRAVEST_FIRST}
    facts = Facts(tuple(Fact(verdict, str(counts[verdict])) for verdict in GRAVEST_FIRST if counts[verdict]))
    lead = "Is there anything in the data that makes these scores less reliable than they look?"
    return Section("audits", "Audits", lead, (facts, *text, Findings(tuple(map(_finding, ordered)))))


def _judged(check: Check, material: Material) -> Check:
    """Judge the check of the labels again, now that members have been trained; return any other as it is."""
    again = check.id == PERMUTATION and check.figures
    return judge(check.figures, best_auc(material.predictions)) if again else check


def _finding(check: Check) -> Finding:
    tables = tuple(_table(f"audit-{check.id}-{number}", table) for number, table in enumerate(check.tables, start=1))
    return Finding(check.id, check.title, check.verdict, check.sentence, check.remedy, tables)


def _table(name: str, evidence: Evidence) -> Table:
    frame = pd.DataFrame([list(row) for row in evidence.rows], columns=list(evidence.columns))
    columns = [Column(title, title, "text" if _is_text(frame[title]) else "number") for title in evidence.columns]
    return Table(name.replace("_", "-"), evidence.title, frame, tuple(columns))


def _is_text(values: pd.Series[Any]) -> bool:
    return not pd.api.types.is_numeric_dtype(values)
