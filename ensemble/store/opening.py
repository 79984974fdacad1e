"""Opening a store: finding it, cutting or loading its ledger, and setting aside work on other data or folds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import DataSettings, Experiment
from ensemble.config.reading import load_experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import first_few
from ensemble.core.errors import UserError
from ensemble.core.storage.array_file import ArrayFile
from ensemble.core.storage.files import Location, location, write_text
from ensemble.core.storage.json_file import read_json
from ensemble.folds.extend import is_extension_of
from ensemble.folds.ledger import ALGORITHM, FoldLedger
from ensemble.store.oof import RECORD, OofStore
from ensemble.store.replacing import finish_replacing, move_aside

PHOTOGRAPHS_FILE = "photographs.json"  # sha256 of each, by split and name


def find_store(
    named: Location | None, oof: Location, log: Callable[[str], None] = lambda _: None
) -> tuple[OofStore, Experiment]:
    """Return the store in a folder, of a config (`<oof>/<its name>`), of a name, or (None) the newest under `oof`.

    The experiment is that of the config if one is named, else the one that the store was trained for. That the newest
    store was taken is logged.

    Raises
    ------
    UserError
        There is no such store, or a newer version wrote it; the message lists those that exist.
    """
    if named is None:
        named = _newest(oof)
        log(f"newest: {named}")
    if isinstance(named, Path) and named.name in ("", ".."):
        named = named.resolve()  # locks and what replaces a store have its name
    by_name = oof / str(named)
    for place in (named, by_name):
        finish_replacing(OofStore(place))
    if not named.exists() and by_name.is_dir():
        named = by_name
    if named.is_dir():
        store, config = OofStore(named), None
    elif named.exists() or named.suffix in (".yaml", ".yml"):
        config = load_experiment(named)
        store = OofStore(oof / config.name)
    else:
        raise UserError(f"there is no store, config or name {named}; {_known_stores(oof)}")
    finish_replacing(store)
    if not store.exists():
        raise UserError(
            f"{store.root} is not a store of an experiment; run ensemble train (or ensemble folds cut) first; "
            f"{_known_stores(oof)}"
        )
    return store, config or store.experiment()


def _known_stores(oof: Location) -> str:
    known = sorted(path.parent.name for path in oof.glob("*/data.json"))
    return f"stores under {oof}: {first_few(known) or 'none'}"


def _newest(oof: Location) -> Location:
    facts = [path for path in oof.glob("*/data.json") if "~" not in path.parent.name]
    if not facts:
        raise UserError(f"there is no store under {oof}; run ensemble train first, or name another folder with --oof")
    return max(facts, key=lambda path: path.stat().st_mtime).parent


def prepare(
    experiment: Experiment, competition: Competition, store: OofStore, board: ProgressBoard
) -> tuple[ArrayFile | None, FoldLedger]:
    """Load the ledger of the store if data and settings are the same; otherwise decode the photographs and cut one.

    What was read, and how names were matched, is logged.
    """
    for line in competition.lines():
        board.log(line)
    pixels = None
    ledger = known_ledger(experiment, competition, store)
    if ledger is None:
        board.log(f"reading {len(competition.encoded)} photographs from {competition.source}")
        pixels, ledger = cut(experiment, competition)
        set_aside(store, ledger, competition, board)
    return pixels, ledger


def prepare_to_try(
    experiment: Experiment, competition: Competition, store: OofStore, board: ProgressBoard
) -> tuple[ArrayFile, FoldLedger]:
    """Prepare, and begin the store unless it is there: what trains next decides whether its config is the store's."""
    pixels, ledger = prepare(experiment, competition, store, board)
    if not store.exists():
        begin_store(store, experiment, ledger, competition)
    return competition.decode() if pixels is None else pixels, ledger


def cut(experiment: Experiment, competition: Competition) -> tuple[ArrayFile, FoldLedger]:
    """Decode all photographs and cut the folds of the training rows."""
    pixels, table = competition.decode(), competition.train
    groups = groups_of(competition, pixels, experiment.folds.near_duplicate_distance)
    return pixels, FoldLedger.cut(table.names, table.labels, groups, experiment.folds)


def groups_of(competition: Competition, pixels: ArrayFile, distance: int) -> list[str]:
    """Return the groups of the training photographs: those of the table, joined by near-duplicates."""
    from ensemble.folds.near_duplicates import near_duplicate_groups  # takes 0.25 s; only new folds need it

    table = competition.train
    return near_duplicate_groups(table.names, pixels.take(np.arange(len(table.names))), table.groups, distance)


def begin_store(store: OofStore, experiment: Experiment, ledger: FoldLedger, competition: Competition) -> None:
    """Write the config, the folds, and what the competition is; finished folds stay as they are."""
    store.begin(experiment, ledger, competition.sample, facts_of(competition))
    if read_photograph_hashes(store) != competition.contents:  # so that a photograph that changes can be named
        write_text(store.root / PHOTOGRAPHS_FILE, json.dumps(competition.contents, indent=0) + "\n")


def has_folds(store: OofStore) -> bool:
    """Return whether a member has finished a fold."""
    return any(store.root.glob(f"members/[!.]*/fold-*/{RECORD}"))


def facts_of(competition: Competition) -> dict[str, Any]:
    """Return the facts of the data that a store records."""
    return {
        "sha256": competition.sha256,
        "source": competition.source,
        "synthetic": competition.synthetic,
        "train_rows": competition.train_rows,
        "test_rows": len(competition.sample.names),
        "reading": None if competition.reading is None else asdict(competition.reading),
        "lines": competition.lines(),
    }


def known_ledger(experiment: Experiment, competition: Competition, store: OofStore) -> FoldLedger | None:
    """Return the store's ledger if it can be read and was cut from the same data with the same settings."""
    try:
        ledger = store.ledger()
        same_data = store.facts().get("sha256") == competition.sha256
    except UserError:
        return None
    folds = experiment.folds
    same = (ledger.n_folds, ledger.seed, ledger.distance) == (folds.n_folds, folds.seed, folds.near_duplicate_distance)
    return ledger if same_data and same and is_extension_of(ledger.algorithm, ALGORITHM) else None


def competition_of(store: OofStore, settings: DataSettings, data: Location | None = None) -> Competition:
    """Open the competition that a store was trained on, from `data` (default: from where training read it).

    Raises
    ------
    UserError
        It does not exist any more, or its content has changed.
    """
    facts = store.facts()
    source = location(str(facts["source"])) if data is None else data
    if data is None and not source.exists():
        raise UserError(f"{source}, on which {store.root} was trained, does not exist any more; pass --data with it")
    competition = Competition.open(source, settings)
    if competition.sha256 != facts["sha256"]:
        raise UserError(f"{source} is not what {store.root} was trained on; pass --data with that competition")
    return competition


def read_photograph_hashes(store: OofStore) -> dict[str, str]:
    """Return the recorded sha256 by `split/name`; empty if the file is missing or damaged."""
    try:
        return read_json(store.root / PHOTOGRAPHS_FILE, dict)
    except (OSError, ValueError):
        return {}


def _other_photographs(store: OofStore, competition: Competition) -> str:
    """Name the photographs that differ from those of a store; empty if it has not recorded them."""
    before, now = read_photograph_hashes(store), competition.contents
    if not before:
        return ""
    other = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return f"other photographs: {first_few(other)}" if other else ""


def set_aside(store: OofStore, ledger: FoldLedger, competition: Competition, board: ProgressBoard) -> None:
    """Rename a store with finished folds of other data or another ledger, so that they are not overwritten."""
    if not has_folds(store):
        return
    try:
        rows = ledger.difference(store.ledger())
    except UserError as error:
        rows = str(error)
    parts = [part for part in (rows, _other_photographs(store, competition)) if part]
    difference = "; ".join(parts) or "the photographs themselves changed"
    aside = move_aside(store)
    board.log(f"the data or folds changed ({difference}); the finished work was moved to {aside}")
