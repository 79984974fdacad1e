"""Checks: what the audits found, as plain data, and the files in a store that hold it.

`audit.json` is for programs, `audit.md` for people, `files.parquet` holds the facts of each file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from ensemble.core.console.markdown import markdown_rows, without_html
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_file, write_text
from ensemble.core.storage.json_file import read_json
from ensemble.engine.recipes.code import versions
from ensemble.store.oof import OofStore

Verdict = Literal["fine", "look", "alarm", "not run"]
GRAVEST_FIRST: tuple[Verdict, ...] = ("alarm", "look", "fine", "not run")
_FOLDER, _CONTENT, _PAGE, _FILES = "audit", "audit.json", "audit.md", "files.parquet"


@dataclass(frozen=True)
class Evidence:
    """Table behind a verdict: values are texts, numbers or None."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Check:
    """Result of one audit.

    Attributes
    ----------
    id : str
        Such as `formats`.
    title : str
        The question, such as: Does the file format give the answer away?
    sentence : str
        The finding, with its numbers, their standard errors and what they were measured on.
    remedy : str
        What to do about it; empty if all is fine.
    figures : dict
        Numbers from which the verdict can be given again when more is known; most have none.
    """

    id: str
    title: str
    verdict: Verdict
    sentence: str
    remedy: str = ""
    tables: tuple[Evidence, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def not_run(name: str, title: str, why: str) -> Check:
    """Return the check of an audit that could not run."""
    return Check(name, title, "not run", why)


def read_audit(store: OofStore) -> list[Check] | None:
    """Read what the last audit found; None where it cannot be read, or was of other data or folds."""
    content = read_content(store)
    if content is None:
        return None
    try:
        if content["data_sha256"] != store.facts().get("sha256"):
            return None
        summary = read_json(store.root / "folds.json", dict)
        if content["folds_sha256"] != summary["sha256"]:
            return None
    except UserError:
        pass  # audited before anything was trained: there is no other data
    except (OSError, ValueError, KeyError):
        return None
    return checks_of(content)


def read_content(store: OofStore) -> dict[str, Any] | None:
    """Read audit.json as it is; None where it cannot be read."""
    try:
        content = read_json(store.root / _FOLDER / _CONTENT, dict)
        checks_of(content)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return content


def checks_of(content: dict[str, Any]) -> list[Check]:
    """Return the checks of audit.json."""
    return [Check(**fields | {"tables": tuple(map(_evidence, fields["tables"]))}) for fields in content["checks"]]


def write_audit(store: OofStore, checks: Sequence[Check], made_of: dict[str, Any]) -> None:
    """Write audit.json and audit.md; `made_of` identifies by hashes what was audited."""
    content = {**made_of, "versions": versions(), "checks": [asdict(check) for check in checks]}
    write_text(page_of(store), _markdown(checks))
    write_text(store.root / _FOLDER / _CONTENT, json.dumps(content, indent=1, default=_plain) + "\n")


def write_files(store: OofStore, facts: pd.DataFrame) -> None:
    """Write files.parquet: a row of facts for each photograph's file."""
    with new_file(store.root / _FOLDER / _FILES) as temporary:
        facts.to_parquet(temporary, index=False)


def page_of(store: OofStore) -> Location:
    """Return the path of the page for people."""
    return store.root / _FOLDER / _PAGE


def _evidence(table: dict[str, Any]) -> Evidence:
    return Evidence(table["title"], tuple(table["columns"]), tuple(tuple(row) for row in table["rows"]))


def _plain(value: Any) -> Any:
    """Convert a NumPy number to Python's."""
    return value.item()


def _markdown(checks: Sequence[Check]) -> str:
    parts = ["# Audits\n"]
    for check in checks:
        parts.append(f"## {check.verdict}: {check.title}\n\n{without_html(check.sentence)}\n")
        parts += [f"What to do: {check.remedy}\n"] if check.remedy else []
        parts += [f"{table.title}:\n\n{markdown_rows(table.columns, table.rows)}\n" for table in check.tables]
    return "\n".join(parts)
