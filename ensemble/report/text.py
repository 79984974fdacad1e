"""The words and tables that all reports share."""

from __future__ import annotations

from ensemble.markdown import markdown_table, without_html
from ensemble.oof import OofStore

__all__ = ["SYNTHETIC", "heading", "markdown_table", "without_html"]

SYNTHETIC = "synthetic demo data: these scores say nothing about real photographs"


def heading(store: OofStore) -> str:
    """What the scores are about, with the warning that demo data needs."""
    facts = store.facts()
    rows = f"{store.name}: {facts['train_rows']} training and {facts['test_rows']} test photographs"
    return f"{rows} ({SYNTHETIC})" if facts["synthetic"] else rows
