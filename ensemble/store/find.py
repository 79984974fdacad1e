"""Finding the store that a command is about: by its folder, by its config, or the newest."""

from __future__ import annotations

from ensemble.config import Experiment, load_experiment
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.store.oof import OofStore


def find_store(named: Location | None, oof: Location) -> tuple[OofStore, Experiment]:
    """The store in a folder, of a config (`<oof>/<its name>`), or with nothing named the newest under `oof`.

    With it comes the experiment: that of the config where one is named, else the one that the store was trained for.

    Raises
    ------
    UserError
        There is no such store, or a newer version wrote it.
    """
    config = None if named is None or named.is_dir() else load_experiment(named)
    folder = _newest(oof) if named is None else named
    store = OofStore(oof / config.name if config else folder)
    if not store.exists():
        raise UserError(f"{store.root} is no store of a trained experiment; run ensemble train first")
    return store, config or store.experiment()


def _newest(oof: Location) -> Location:
    ledgers = [path for path in oof.glob("*/data.json") if "~" not in path.parent.name]
    if not ledgers:
        raise UserError(f"there is no store under {oof}; run ensemble train first, or pass --oof")
    return max(ledgers, key=lambda path: path.stat().st_mtime).parent
