"""Finding the store that a command is about: by its folder, by its config, or the newest."""

from __future__ import annotations

from pathlib import Path

from ensemble.config import load_experiment
from ensemble.errors import UserError
from ensemble.oof import OofStore


def find_store(named: Path | None, oof: Path) -> OofStore:
    """The store in a folder, of a config (`<oof>/<its name>`), or with nothing named the newest under `oof`.

    Raises
    ------
    UserError
        There is no such store.
    """
    store = _newest(oof) if named is None else OofStore(named if named.is_dir() else oof / load_experiment(named).name)
    if not store.exists():
        raise UserError(f"{store.root} is no store of a trained experiment; run python -m ensemble.train first")
    return store


def _newest(oof: Path) -> OofStore:
    ledgers = [path for path in oof.glob("*/data.json") if "~" not in path.parent.name]
    if not ledgers:
        raise UserError(f"there is no store under {oof}; run python -m ensemble.train first, or pass --oof")
    return OofStore(max(ledgers, key=lambda path: path.stat().st_mtime).parent)
