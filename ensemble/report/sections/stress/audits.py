"""Shortcuts and traps: what the audits found in the data, and whether members meet in test what they know."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.audit.learned.drift import NAME as DRIFT
from ensemble.audit.learned.drift import drift
from ensemble.audit.learned.permutation import NAME as PERMUTATION
from ensemble.audit.learned.permutation import best_auc, judge
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Column, Fact, Facts, Finding, Findings, Section, Table, Text
from ensemble.store.checks import GRAVEST_FIRST, Check, Evidence, read_audit


def audits(material: Material) -> Section:
    """Every audit with its verdict; drift, and what members make of the labels, are of these very predictions."""
    found = read_audit(material.store)
    checks = [_judged(check, material) for check in found or [] if check.id != DRIFT] + [drift(material.predictions)]
    how = "ensemble audit CONFIG --data PATH looks for shortcuts in it."
    text = () if found is not None else (Text((f"Of the data itself nothing was audited yet: {how}",)),)
    ordered = sorted(checks, key=lambda check: GRAVEST_FIRST.index(check.verdict))
    counts = {verdict: sum(check.verdict == verdict for check in checks) for verdict in GRAVEST_FIRST}
    facts = Facts(tuple(Fact(verdict, str(counts[verdict])) for verdict in GRAVEST_FIRST if counts[verdict]))
    lead = "Is there anything in the data that would make these scores worth less than they seem?"
    return Section("audits", "Audits", lead, (facts, *text, Findings(tuple(map(_finding, ordered)))))


def _judged(check: Check, material: Material) -> Check:
    """The check; that of the labels, which was mostly made before any member was trained, with what members say."""
    anew = check.id == PERMUTATION and check.figures
    return judge(check.figures, best_auc(material.predictions)) if anew else check


def _finding(check: Check) -> Finding:
    tables = tuple(_table(f"audit-{check.id}-{number}", table) for number, table in enumerate(check.tables, start=1))
    return Finding(check.id, check.title, check.verdict, check.sentence, check.remedy, tables)


def _table(name: str, evidence: Evidence) -> Table:
    frame = pd.DataFrame([list(row) for row in evidence.rows], columns=list(evidence.columns))
    columns = [Column(title, title, "text" if _is_text(frame[title]) else "number") for title in evidence.columns]
    return Table(name.replace("_", "-"), evidence.title, frame, tuple(columns))


def _is_text(values: pd.Series[Any]) -> bool:
    return not pd.api.types.is_numeric_dtype(values)
