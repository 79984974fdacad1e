"""Results of commands that evaluate a trained store: their files, and what they were computed from.

Folder and files have the name of the command: `ensemble robustness` writes `robustness/robustness.parquet`, `.csv`,
`.md`, and last `.json`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_file, write_text
from ensemble.core.storage.hashing import digest, file_sha256
from ensemble.core.storage.json_file import read_json
from ensemble.core.storage.parquet import read_parquet
from ensemble.store.oof import BLEND_OOF, MANIFEST, OofStore
from ensemble.store.predictions import Predictions

ROBUSTNESS, GENERATORS = "robustness", "generators"
BLEND = "blend"  # the row of the blend; no member may have this name
AS_THEY_ARE = "as_they_are"  # unaltered photographs
ALL = -1  # in a column of clusters: every cluster, each by the models that never saw it
_OF_A_BLEND = ("chosen", "elected", "decision_rule", "oof_sha256", "submission_sha256")


def file_of(store: OofStore, which: str, kind: str) -> Location:
    """Return the file with the results of a command; `kind` is parquet, csv, md or json."""
    return store.root / which / f"{which}.{kind}"


def command_of(store: OofStore, which: str) -> str:
    """Return the command line, ready to paste."""
    return f"ensemble {which} {shlex.quote(str(store.root))}"


def read(store: OofStore, which: str) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    """Read table and facts of a command's results; None if they are missing or damaged."""
    try:
        facts = read_json(file_of(store, which, "json"), dict)
        table = read_parquet(file_of(store, which, "parquet"))
    except (OSError, ValueError):
        return None
    return (table, facts) if len(table) else None


def write(store: OofStore, which: str, table: pd.DataFrame, page: str, facts: dict[str, Any]) -> None:
    """Write a command's results; the facts, by which they are read, last."""
    with new_file(file_of(store, which, "parquet")) as temporary:
        table.to_parquet(temporary, index=False)
    with new_file(file_of(store, which, "csv")) as temporary:
        table.to_csv(temporary, index=False)
    write_text(file_of(store, which, "md"), page)
    write_text(file_of(store, which, "json"), json.dumps(facts, indent=1) + "\n")


def made_from(
    store: OofStore, predictions: Predictions, manifest: dict[str, Any] | None, members: Sequence[str]
) -> dict[str, Any]:
    """Return hashes of everything that results of these members are computed from, as part of their facts.

    Keys `data_sha256`, `folds_sha256`, `predictions_sha256` (by member) and `blend_sha256` (None without a blend).
    `manifest` is that of the blend of these predictions.
    """
    return {
        "data_sha256": store.facts()["sha256"],
        "folds_sha256": predictions.ledger.sha256,
        "predictions_sha256": {member: predictions_sha256(predictions, member) for member in members},
        "blend_sha256": blend_sha256(manifest),
    }


def predictions_sha256(predictions: Predictions, member: str) -> str | None:
    """Return a hash of all folds of a member; None if it has none."""
    folds = {fold: sha for fold, sha in predictions.hashes.items() if fold.partition("/")[0] == member}
    if len(predictions.cuts_of(member)) > 1:  # until 0.2.0 results were of the first cut alone, and count no more
        return digest(["every cut", folds])
    return digest(folds) if folds else None


def blend_sha256(manifest: dict[str, Any] | None) -> str | None:
    """Return a hash of the blend's output and choice, but not of its run time."""
    return None if manifest is None else digest([manifest.get(key) for key in _OF_A_BLEND])


def sample_sha256(store: OofStore) -> str:
    """Return a hash of the sample submission: its columns, and its rows in their order."""
    return digest(store.facts()["sample"])


def without_left_out(predictions: Predictions, manifest: dict[str, Any]) -> Predictions:
    """Return predictions without the members that a blend was asked to leave out."""
    return predictions.without([name for name in manifest.get("without", []) if name in predictions.members])


def current_manifest(store: OofStore, predictions: Predictions) -> dict[str, Any] | None:
    """Read the manifest of the last blend, if it was made from these predictions and its files are unchanged.

    Its submission has the rows of the sample, which may have been changed since then.
    """
    try:
        manifest = read_json(store.blend_folder / MANIFEST, dict)
        oof = file_sha256(store.blend_folder / BLEND_OOF)
        hashes = without_left_out(predictions, manifest).hashes
        same = manifest["predictions_sha256"] == hashes and manifest["oof_sha256"] == oof
        weights = manifest["weights"]
        same &= all(isinstance(manifest[key], str) for key in ("chosen", "measured_on", "reason"))
        same &= set(manifest["members"]) <= set(predictions.members)
        same &= manifest["sample_sha256"] == sample_sha256(store)
        same &= weights is None or len(weights) == len(manifest["members"])
    except (OSError, ValueError, KeyError, TypeError, UserError):
        return None
    return manifest if same else None
