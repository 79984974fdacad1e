"""Before any fold runs: the ledger, cut anew or taken from the store. Work on other data or folds is set aside."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.dataset import Competition
from ensemble.config import DataSettings, Experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location, move_folder, write_text
from ensemble.folds.ledger import ALGORITHM, FoldLedger
from ensemble.store.oof import STORE_MARKERS, OofStore

PHOTOGRAPHS = "photographs.json"  # sha256 of each, by split and name
_SHOWN = 5


def prepare(
    experiment: Experiment, competition: Competition, store: OofStore, board: ProgressBoard
) -> tuple[NDArray[np.uint8] | None, FoldLedger]:
    """Cut the folds, or take those of the store when data and settings are the same; only the first needs pixels."""
    pixels = None
    ledger = known_ledger(experiment, competition, store)
    if ledger is None:
        board.log(f"reading {len(competition.encoded)} photographs from {competition.source}")
        pixels, ledger = cut(experiment, competition)
        set_aside(store, ledger, competition, board)
    return pixels, ledger


def cut(experiment: Experiment, competition: Competition) -> tuple[NDArray[np.uint8], FoldLedger]:
    """Decode all photographs, and cut the folds of the training rows."""
    from ensemble.folds.near_duplicates import near_duplicate_groups  # a quarter of a second that only new folds pay

    pixels = competition.decode()
    table, settings = competition.train, experiment.folds
    groups = near_duplicate_groups(
        table.names, pixels[: len(table.names)], table.groups, settings.near_duplicate_distance
    )
    return pixels, FoldLedger.cut(table.names, table.labels, groups, settings)


def facts_of(competition: Competition) -> dict[str, Any]:
    """What a store remembers of its data."""
    return {
        "sha256": competition.sha256,
        "source": competition.source,
        "synthetic": competition.synthetic,
        "train_rows": competition.train_rows,
        "test_rows": len(competition.sample.names),
    }


def known_ledger(experiment: Experiment, competition: Competition, store: OofStore) -> FoldLedger | None:
    """The store's ledger, if it was cut from the same data with the same settings, and can be read."""
    try:
        ledger = store.ledger()
        same_data = store.facts().get("sha256") == competition.sha256
    except UserError:
        return None
    asked = experiment.folds
    same = (ledger.n_folds, ledger.seed, ledger.distance) == (asked.n_folds, asked.seed, asked.near_duplicate_distance)
    return ledger if same_data and same and ledger.algorithm == ALGORITHM else None


def competition_of(store: OofStore, settings: DataSettings, data: Location | None = None) -> Competition:
    """The competition that a store was trained on, from `data` (default: from where training read it).

    Raises
    ------
    UserError
        It is not there any more, or what is there is another one.
    """
    facts = store.facts()
    source = location(str(facts["source"])) if data is None else data
    if data is None and not source.exists():
        raise UserError(f"{source}, on which {store.root} was trained, does not exist any more; pass --data with it")
    competition = Competition.open(source, settings)
    if competition.sha256 != facts["sha256"]:
        raise UserError(f"{source} is not what {store.root} was trained on; pass --data with that competition")
    return competition


def note_photographs(store: OofStore, competition: Competition) -> None:
    """Remember every photograph by its content, so that one that changes can be named."""
    if noted_photographs(store) != competition.contents:
        write_text(store.root / PHOTOGRAPHS, json.dumps(competition.contents, indent=0) + "\n")


def noted_photographs(store: OofStore) -> dict[str, str]:
    """What `note_photographs` wrote, sha256 by `split/name`; nothing where it did not, or what it wrote is damaged."""
    try:
        found: dict[str, str] = dict(json.loads((store.root / PHOTOGRAPHS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
    return found


def _other_photographs(store: OofStore, competition: Competition) -> str:
    """Name the photographs that are not those that a store was made of; empty where nobody knows."""
    before, now = noted_photographs(store), competition.contents
    if not before:
        return ""
    other = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    more = f" (+{len(other) - _SHOWN} more)" if len(other) > _SHOWN else ""
    return f"other photographs: {', '.join(other[:_SHOWN])}{more}" if other else ""


def set_aside(store: OofStore, ledger: FoldLedger, competition: Competition, board: ProgressBoard) -> None:
    """Keep finished work of other data or folds: move it out of the way rather than train over it."""
    if not any(store.root.glob("members/*/fold-*")):
        return
    try:
        rows = ledger.difference(store.ledger())
    except UserError as error:
        rows = str(error)
    parts = [part for part in (rows, _other_photographs(store, competition)) if part]
    difference = "; ".join(parts) or "the photographs themselves changed"
    aside = store.root.with_name(f"{store.name}~{time.strftime('%Y%m%d-%H%M%S')}")
    move_folder(store.root, aside, *STORE_MARKERS)
    board.log(f"the data or folds changed ({difference}); the finished work is kept in {aside}")
