"""Pictures of a game from a store: training photographs with what the blend says of them, out-of-fold."""

from __future__ import annotations

import hashlib

import numpy as np

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.storage.parquet import read_arrays
from ensemble.report.exhibits.stored import read_exhibits
from ensemble.serve.game.pictures import Picture, Pictures, balanced
from ensemble.store.oof import BLEND_OOF, OofStore
from ensemble.store.opening import competition_of, read_photograph_hashes

_DRAWN = (
    "Photographs of the training data, drawn at random. The ensemble's answers are out-of-fold: of each photograph by "
    "models that had not seen it."
)
_KEPT = (
    "Photographs that the report keeps: the hardest ones, many of which the ensemble gets wrong. Its answers are "
    "out-of-fold: of each photograph by models that had not seen it."
)
_TRAIN = "train/"


def pictures_of_store(path: Location) -> Pictures:
    """Return pictures of a store: drawn from its training photographs, or those of its report where these are gone.

    Raises
    ------
    UserError
        There is no blend, or there are no photographs.
    """
    store = OofStore(path)
    ledger, synthetic = store.ledger(), bool(store.facts()["synthetic"])
    names, labels = list(ledger.table["name"]), ledger.labels == 1
    try:
        probabilities = read_arrays(store.blend_folder / BLEND_OOF, ["pred"])["pred"]
        known = dict(zip(names, zip(labels, probabilities, strict=True), strict=True))
    except (OSError, ValueError):
        raise UserError(f"--play {path}: the store has no blend that can be read; run ensemble blend {path}") from None
    contents, source = _contents(store, names, labels)
    pictures = []
    for name, content in contents.items():
        fake, probability = known[name]
        pictures.append(Picture(content, bool(fake), float(probability) if np.isfinite(probability) else None))
    return Pictures(pictures, source, synthetic, unseen=True)


def _contents(store: OofStore, names: list[str], labels: np.ndarray) -> tuple[dict[str, bytes], str]:
    """Return the files of the pictures by name, and where they are from."""
    try:
        competition = competition_of(store, store.experiment().data)
    except UserError:
        kept = read_exhibits(store).contents
        kept = {name.removeprefix(_TRAIN): content for name, content in kept.items() if name.startswith(_TRAIN)}
        fakes = np.array([labels[names.index(name)] for name in kept], dtype=bool)
        chosen = [list(kept)[row] for row in balanced(fakes)]
        return {name: kept[name] for name in chosen}, _KEPT
    noted = read_photograph_hashes(store)
    found = {names[row]: bytes(competition.encoded[row]) for row in balanced(labels)}
    intact = {name: c for name, c in found.items() if noted.get(_TRAIN + name) == hashlib.sha256(c).hexdigest()}
    return intact, _DRAWN
