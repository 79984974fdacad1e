"""What audits found, kept in the store: audit.json for programs, audit.md for people, files.parquet with the facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from ensemble.core.console.markdown import markdown_rows, without_html
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_file, write_text
from ensemble.core.storage.hashing import digest
from ensemble.engine.recipes.code import framework_code, versions
from ensemble.store.checks import Check, Evidence
from ensemble.store.oof import OofStore

FOLDER, AUDIT, PAGE, FILES = "audit", "audit.json", "audit.md", "files.parquet"
_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "pillow")  # that can change a verdict


def read_audit(store: OofStore) -> list[Check] | None:
    """What the last audit found; None where there is none that can be read, or it was of other data or folds."""
    content = read_content(store)
    if content is None:
        return None
    try:
        if content["data_sha256"] != store.facts().get("sha256"):
            return None
        summary = json.loads((store.root / "folds.json").read_text(encoding="utf-8"))
        if content["folds_sha256"] != summary["sha256"]:
            return None
    except UserError:
        pass  # audited before anything was trained: there is no other data
    except (OSError, ValueError, KeyError):
        return None
    return checks_of(content)


def read_content(store: OofStore) -> dict[str, Any] | None:
    """audit.json as it stands; None where it cannot be read."""
    try:
        content = json.loads((store.root / FOLDER / AUDIT).read_text(encoding="utf-8"))
        checks_of(content)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return dict(content)


def checks_of(content: dict[str, Any]) -> list[Check]:
    """The checks of audit.json."""
    return [_check(fields) for fields in content["checks"]]


def write_audit(store: OofStore, checks: Sequence[Check], made_of: dict[str, Any]) -> None:
    """Write audit.json and audit.md; `made_of` tells by hashes what was audited."""
    content = {**made_of, "versions": versions(), "checks": [asdict(check) for check in checks]}
    write_text(store.root / FOLDER / PAGE, _markdown(checks))
    write_text(store.root / FOLDER / AUDIT, json.dumps(content, indent=1, default=_plain) + "\n")


def write_files(store: OofStore, facts: pd.DataFrame) -> None:
    """Write files.parquet: what `header.facts_of` found."""
    with new_file(store.root / FOLDER / FILES) as temporary:
        facts.to_parquet(temporary, index=False)


def audit_code() -> str:
    """Identify the code of all audits and the libraries that they rest on."""
    return digest([framework_code(), {name: versions().get(name) for name in _LIBRARIES}])


def _check(fields: dict[str, Any]) -> Check:
    tables = tuple(_evidence(table) for table in fields["tables"])
    return Check(**{**fields, "tables": tables})


def _evidence(table: dict[str, Any]) -> Evidence:
    return Evidence(table["title"], tuple(table["columns"]), tuple(tuple(row) for row in table["rows"]))


def _plain(value: Any) -> Any:
    """A number of NumPy as Python has it."""
    return value.item()


def _markdown(checks: Sequence[Check]) -> str:
    parts = ["# Audits\n"]
    for check in checks:
        parts.append(f"## {check.verdict}: {check.title}\n\n{without_html(check.sentence)}\n")
        parts += [f"What to do: {check.remedy}\n"] if check.remedy else []
        parts += [f"{table.title}:\n\n{markdown_rows(table.columns, table.rows)}\n" for table in check.tables]
    return "\n".join(parts)


def place_of(store: OofStore) -> Location:
    """The page for people."""
    return store.root / FOLDER / PAGE
