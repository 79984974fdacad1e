"""What people read of it: a page in Markdown, and a table in the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from ensemble.oof import OofStore
from ensemble.report.text import heading, markdown_table
from ensemble.robustness.alterations import ALTERATIONS
from ensemble.robustness.table import BLEND, UNSURE


def page(store: OofStore, table: pd.DataFrame, content: dict[str, Any]) -> str:
    """robustness.md."""
    names = [BLEND] if (table["member"] == BLEND).any() else []
    names += [name for name in content["members"] if name not in names]
    parts = [
        f"# Robustness of {heading(store)}",
        _about(content),
        "## Accuracy",
        markdown_table(accuracies(table)),
        *(part for name in names for part in _of_member(name, table)),
        "## What was done to the photographs",
        markdown_table(_alterations(table)),
        *(["## Notes", "\n".join(f"- {note}" for note in content["notes"])] if content["notes"] else []),
    ]
    return "\n\n".join(parts) + "\n"


def accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy ± standard error as text: a row for each alteration, a column for each member."""
    cells = [f"{a:.3f} ± {e:.3f}" for a, e in zip(table["accuracy"], table["standard_error"], strict=True)]
    long = table.assign(cell=cells)
    wide = long.pivot_table(index="title", columns="member", values="cell", aggfunc="first")
    wide = wide.reindex(index=pd.unique(long["title"]), columns=pd.unique(long["member"])).fillna("")
    wide.index.name, wide.columns.name = "photographs", None
    return wide.reset_index()


def print_table(console: Console, store: OofStore, table: pd.DataFrame, content: dict[str, Any]) -> None:
    """Accuracies by alteration, what is to be said of them, and where the rest is."""
    text = accuracies(table)
    shown = Table(title=f"{heading(store)}; accuracy of {_rows(content)}", title_justify="left", box=None)
    for column in text.columns:
        shown.add_column(str(column), no_wrap=True, overflow="fold")
    for row in text.itertuples(index=False):
        shown.add_row(*map(str, row))
    console.print(shown)
    for note in content["notes"]:
        console.print(note, markup=False)


def _about(content: dict[str, Any]) -> str:
    return (
        f"Measured on {_rows(content)}, altered, each decided by the models of the fold that held it out; the blend by "
        "blenders that were fitted on the other folds' unaltered photographs (nested). All rows of a column are of the "
        "same photographs; `change` is against them as they are, with the standard error of paired decisions. A false "
        "positive is a real photograph called fake. "
        f"Abstained: probabilities between {UNSURE[0]} and {UNSURE[1]}."
    )


def _rows(content: dict[str, Any]) -> str:
    sample = content["sample"]
    return f"{sample['photographs']} of {sample['of']} training photographs"


def _of_member(name: str, table: pd.DataFrame) -> list[str]:
    rows = table[table["member"] == name]
    if rows.empty:
        return []
    shown = {
        "photographs": rows["title"],
        "accuracy ± SE": _with_errors(rows, "accuracy", "standard_error"),
        "change ± SE": _with_errors(rows, "change", "change_error", "+"),
        "AUC": rows["auc"].map("{:.3f}".format),
        "false positives ± SE": _with_errors(rows, "false_positive_rate", "false_positive_rate_error"),
        "fakes found ± SE": _with_errors(rows, "fakes_found", "fakes_found_error"),
        "abstained": rows["abstained"].map("{:.3f}".format),
    }
    return [f"## {name} ({rows['measured_on'].iloc[0]})", markdown_table(pd.DataFrame(shown))]


def _with_errors(rows: pd.DataFrame, value: str, error: str, sign: str = "") -> list[str]:
    return [f"{v:{sign}.3f} ± {e:.3f}" for v, e in zip(rows[value], rows[error], strict=True)]


def _alterations(table: pd.DataFrame) -> pd.DataFrame:
    names = list(pd.unique(table["alteration"]))
    return pd.DataFrame(
        {
            "photographs": [ALTERATIONS[name].title for name in names],
            "imitates": [ALTERATIONS[name].imitates for name in names],
            "--alterations": [f"`{name}`" for name in names],
        }
    )
